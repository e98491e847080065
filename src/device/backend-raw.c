/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw SCSI devices: one SG_IO per command, and the device's answer unchanged.
 * The hard rule: nothing is sent to a device unless sysfs proves that the
 * descriptor is the whole of it; CAP_SYS_RAWIO would let us reach all of a
 * disk through a partition of it.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "device/backend.h"
#include "device/device.h"
#include "device/sg-io.h"

#define SCSI_GENERIC_MAJOR 21

/* Headers before 5.15 lack it; the running kernel may have it. */
#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

static bool raw_claims(const struct statx *status, uint64_t *ret_queue_key)
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
static bool raw_prove(Command *command)
{
	DeviceKind kind = device_kind("/sys", command->block, command->major,
				      command->minor);

	if (kind == DEVICE_SCSI)
		return true;
	backend_refuse_kind(command, kind);
	return false;
}

/* What this thread has proven lately. The kernel numbers its disks and never
 * uses a number twice, so the pair of device number and disk sequence number
 * means the same node for good: a device number alone may go to another disk.
 * Thread-local, as it spares a lock. */
#define RAW_PROOFS 8

typedef struct RawProof {
	uint64_t queue_key; /* has the device number in it */
	uint64_t disk;      /* BLKGETDISKSEQ; 0: no proof */
} RawProof;

static _Thread_local RawProof raw_proofs[RAW_PROOFS];

static bool raw_is_whole(Command *command)
{
	RawProof *proof = &raw_proofs[command->minor / 16 % RAW_PROOFS];
	uint64_t disk = 0;

	/* Kernels before 5.15, and SCSI generic nodes, have no such number. */
	if (!command->block || ioctl(command->fd, BLKGETDISKSEQ, &disk) < 0)
		disk = 0;
	if (disk && proof->disk == disk &&
	    proof->queue_key == command->queue_key)
		return true;
	if (!raw_prove(command))
		return false;
	*proof = (RawProof) { command->queue_key, disk };
	return true;
}

static void raw_execute(Command *command, int64_t deadline_us)
{
	if (raw_is_whole(command))
		sg_io_send(command, deadline_us);
}

const Backend backend_raw = {
	.name = "raw",
	.capabilities = UINT64_C(1) << CAP_SYS_RAWIO,
	.threads = 4,
	.claims = raw_claims,
	.execute = raw_execute,
};
