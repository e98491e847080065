/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw SCSI devices: one SG_IO per command, and the device's answer unchanged.
 * The hard rule: nothing is sent to a device unless sysfs proves that the
 * descriptor is the whole of it; CAP_SYS_RAWIO would let us reach all of a
 * disk through a partition of it.
 */
#include <errno.h>
#include <glib.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "backend.h"
#include "sg-result.h"
#include "sysfs.h"
#include "trace.h"

#define SCSI_GENERIC_MAJOR 21

/* SG_IO's timeout ends this much before the deadline, so that the true answer
 * arrives first where there is one. In milliseconds. */
#define TIMEOUT_MARGIN 500
#define TIMEOUT_MIN    1000

/* With less than this left a command would only become one of unknown outcome.
 */
#define TIMEOUT_FLOOR 100

static bool scsi_claims(const struct statx *status, uint64_t *ret_queue_key)
{
	bool block = S_ISBLK(status->stx_mode);

	if (!block && !(S_ISCHR(status->stx_mode) &&
			status->stx_rdev_major == SCSI_GENERIC_MAJOR))
		return false;
	*ret_queue_key = makedev(status->stx_rdev_major, status->stx_rdev_minor)
				 << 1 |
			 block;
	return true;
}

/* Asks sysfs, which costs more than the command itself. */
static bool prove_whole_device(Command *command)
{
	switch (sysfs_device_kind("/sys", command->block, command->major,
				  command->minor)) {
	case DEVICE_SCSI:
		return true;
	case DEVICE_PARTITION:
		command_refuse(command, sense_not_supported,
			       "it is a partition; give the guest the whole "
			       "disk");
		return false;
	case DEVICE_VOLUME:
		command_refuse(command, sense_not_supported,
			       "it is a device-mapper volume; give the guest "
			       "the whole disk");
		return false;
	case DEVICE_MULTIPATH:
		command_refuse(command, sense_not_supported,
			       "it is a dm-multipath map, which this version "
			       "does not support");
		return false;
	case DEVICE_OTHER:
		command_refuse(command, sense_no_scsi_device,
			       "it is not a SCSI device");
		return false;
	case DEVICE_UNKNOWN:
		break;
	}
	command_refuse(command, sense_no_scsi_device,
		       "it is not in /sys/dev; was it deleted, or is sysfs "
		       "not mounted?");
	return false;
}

/* What this thread has proven lately. The kernel numbers its disks and never
 * uses a number twice, so the pair of device number and disk sequence number
 * means the same node for good: a device number alone may go to another disk.
 * Thread-local, as it spares a lock. */
#define PROOFS 8

typedef struct Proof {
	uint64_t queue_key; /* has the device number in it */
	uint64_t disk;      /* BLKGETDISKSEQ; 0: no proof */
} Proof;

static _Thread_local Proof proofs[PROOFS];

static bool is_whole_device(Command *command)
{
	Proof *proof = &proofs[command->minor / 16 % PROOFS];
	uint64_t disk = 0;

	/* Kernels before 5.15, and SCSI generic nodes, have no such number. */
	if (!command->block || ioctl(command->fd, BLKGETDISKSEQ, &disk) < 0)
		disk = 0;
	if (disk && proof->disk == disk &&
	    proof->queue_key == command->queue_key)
		return true;
	if (!prove_whole_device(command))
		return false;
	*proof = (Proof) { command->queue_key, disk };
	return true;
}

/* Milliseconds for the device, 0 where the deadline is too near. */
static unsigned int remaining_timeout(int64_t deadline)
{
	int64_t left = (deadline - g_get_monotonic_time()) / 1000;

	if (left < TIMEOUT_FLOOR)
		return 0;
	return (unsigned int)MAX(left - TIMEOUT_MARGIN, TIMEOUT_MIN);
}

static void prepare(Command *command, sg_io_hdr_t *ret_io, uint8_t *sense)
{
	bool in = command->pr.opcode == SCSI_PERSISTENT_RESERVE_IN;

	/* IN gets the full buffer, whatever the allocation length: targets
	 * were seen to write past smaller ones. */
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

static void scsi_execute(Command *command, int64_t deadline)
{
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
	sg_io_hdr_t io;

	if (!is_whole_device(command))
		return;
	prepare(command, &io, sense);
	io.timeout = remaining_timeout(deadline);
	trace(scsi_submit, "device=%u:%u fd=%d timeout=%u", command->major,
	      command->minor, command->fd, io.timeout);
	if (io.timeout == 0)
		command_refuse(command, sense_not_sent,
			       "its deadline passed before it was sent");
	else if (ioctl(command->fd, SG_IO, &io) < 0)
		command_refuse(command, sense_no_scsi_device, "SG_IO: %s",
			       strerror(errno));
	else
		sg_result_answer(command, &io);
	trace(scsi_return, "device=%u:%u status=0x%02x", command->major,
	      command->minor, command->reply.status);
}

const Backend backend_scsi = {
	.name = "scsi",
	.capabilities = UINT64_C(1) << CAP_SYS_RAWIO,
	.claims = scsi_claims,
	.execute = scsi_execute,
};
