/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SG_IO reports failures in three places: SCSI status, host status and driver
 * status. They are told apart here and nowhere else. The hard rule: only a
 * command that all three call successful is GOOD.
 */
#include "device/sg-io.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/trace.h"

/* Between the end of SG_IO's timeout and the deadline. */
#define MARGIN_MS 500

/* A shorter timeout would abort commands that a busy device answers. */
#define SHORTEST_MS 1000

/* With less than this left a command would only become one of unknown
 * outcome. */
#define LEAST_LEFT_MS 100

/* Host status codes, from the kernel's scsi_status.h (not exported). */
enum {
	HOST_OK = 0x00,
	HOST_NO_CONNECT = 0x01,
	HOST_TIME_OUT = 0x03,
	HOST_BAD_TARGET = 0x04,
	HOST_ABORT = 0x05,
	HOST_ERROR = 0x07,
	HOST_RESET = 0x08,
	HOST_SOFT_ERROR = 0x0b,
	HOST_TRANSPORT_DISRUPTED = 0x0e,
	HOST_TRANSPORT_FAILFAST = 0x0f,
	HOST_TRANSPORT_MARGINAL = 0x14,
};

/* The low four bits of the driver status; kernels since 5.14 leave it 0. */
enum {
	DRIVER_MASK = 0x0f,
	DRIVER_OK = 0x00,
	DRIVER_TIMEOUT = 0x06,
	DRIVER_SENSE = 0x08, /* not an error: sense data is present */
};

void sg_io_fill(Command *command, uint8_t *sense, sg_io_hdr_t *ret_io)
{
	bool in = command->pr.opcode == SCSI_PERSISTENT_RESERVE_IN;

	*ret_io = (sg_io_hdr_t) {
		.interface_id = 'S',
		.cmdp = command->cdb,
		.cmd_len = SCSI_PR_CDB_LENGTH,
		.sbp = sense,
		.mx_sb_len = WIRE_SENSE_SIZE,
		.dxferp = command->data,
		.dxfer_len = in ? WIRE_DATA_MAX : command->pr.length,
		.dxfer_direction = in ? SG_DXFER_FROM_DEV : SG_DXFER_TO_DEV,
	};
	if (ret_io->dxfer_len == 0)
		ret_io->dxfer_direction = SG_DXFER_NONE;
}

unsigned int sg_io_timeout_ms(int64_t left_us)
{
	int64_t left_ms = left_us / 1000;

	if (left_ms < LEAST_LEFT_MS)
		return 0;
	return (unsigned int)MAX(left_ms - MARGIN_MS, SHORTEST_MS);
}

static Failure sg_io_failure(const sg_io_hdr_t *io)
{
	switch (io->host_status) {
	case HOST_NO_CONNECT:
	case HOST_BAD_TARGET:
		return FAILURE_NO_PATH;
	case HOST_TIME_OUT:
	case HOST_ABORT:
	case HOST_ERROR:
	case HOST_RESET:
	case HOST_SOFT_ERROR:
		return FAILURE_OUTCOME_UNKNOWN;
	case HOST_TRANSPORT_DISRUPTED:
	case HOST_TRANSPORT_FAILFAST:
	case HOST_TRANSPORT_MARGINAL:
		return FAILURE_DISRUPTED;
	case HOST_OK:
		if ((io->driver_status & DRIVER_MASK) == DRIVER_TIMEOUT)
			return FAILURE_OUTCOME_UNKNOWN;
		break;
	}
	return FAILURE_TRANSPORT;
}

static bool sg_io_failed(const sg_io_hdr_t *io)
{
	unsigned int driver = io->driver_status & DRIVER_MASK;

	return io->host_status != HOST_OK ||
	       (driver != DRIVER_OK && driver != DRIVER_SENSE);
}

static size_t sg_io_transferred(const sg_io_hdr_t *io)
{
	/* A driver that reports nonsense must not make us send stale bytes;
	 * the buffer was zeroed, so too many is harmless. */
	if (io->resid > 0 && (unsigned int)io->resid > io->dxfer_len)
		return 0;
	return io->dxfer_len - (unsigned int)MAX(io->resid, 0);
}

void sg_io_answer(Command *command, const sg_io_hdr_t *io)
{
	if (io->status == SCSI_GOOD && sg_io_failed(io)) {
		command_refuse(command, sg_io_failure(io),
			       "transport error: host status 0x%02x, driver "
			       "status 0x%02x",
			       io->host_status, io->driver_status);
		return;
	}
	command_answer(command, io->status, io->sbp,
		       MIN(io->sb_len_wr, WIRE_SENSE_SIZE),
		       sg_io_transferred(io));
}

void sg_io_send(Command *command, int64_t deadline_us)
{
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
	sg_io_hdr_t io;

	sg_io_fill(command, sense, &io);
	io.timeout = sg_io_timeout_ms(deadline_us - g_get_monotonic_time());
	trace(scsi_submit, "device=%u:%u fd=%d timeout=%u", command->major,
	      command->minor, command->fd, io.timeout);
	if (io.timeout == 0)
		command_refuse(command, FAILURE_NOT_SENT,
			       "its deadline passed before it was sent");
	else if (ioctl(command->fd, SG_IO, &io) < 0)
		command_refuse(command, FAILURE_NO_SCSI_DEVICE, "SG_IO: %s",
			       strerror(errno));
	else
		sg_io_answer(command, &io);
	trace(scsi_return, "device=%u:%u status=0x%02x", command->major,
	      command->minor, command->reply.status);
}
