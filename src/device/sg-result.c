/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SG_IO's three kinds of result. The hard rule: only a command that all three
 * call successful is GOOD.
 */
#include "sg-result.h"

#include <glib.h>

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

static Failure transport_failure(const sg_io_hdr_t *io)
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

static bool is_transport_error(const sg_io_hdr_t *io)
{
	unsigned int driver = io->driver_status & DRIVER_MASK;

	return io->host_status != HOST_OK ||
	       (driver != DRIVER_OK && driver != DRIVER_SENSE);
}

static size_t transferred(const sg_io_hdr_t *io)
{
	/* A driver that reports nonsense must not make us send stale bytes;
	 * the buffer was zeroed, so too many is harmless. */
	if (io->resid > 0 && (unsigned int)io->resid > io->dxfer_len)
		return 0;
	return io->dxfer_len - (unsigned int)MAX(io->resid, 0);
}

void sg_result_answer(Command *command, const sg_io_hdr_t *io)
{
	if (io->status == SCSI_GOOD && is_transport_error(io)) {
		command_refuse(command, transport_failure(io),
			       "transport error: host status 0x%02x, driver "
			       "status 0x%02x",
			       io->host_status, io->driver_status);
		return;
	}
	command_answer(command, io->status, io->sbp,
		       MIN(io->sb_len_wr, WIRE_SENSE_SIZE), transferred(io));
}
