/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first look at a client's descriptor. It may be anything, also a file
 * whose owner wants to make us wait: only calls that are answered from the
 * kernel's memory are made here.
 */
#include "device/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>

static const Backend *const backends[] = {
	&backend_multipath,
	&backend_raw,
};

uint64_t backend_capabilities(void)
{
	uint64_t capabilities = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++)
		capabilities |= backends[i]->capabilities;
	return capabilities;
}

/* PERSISTENT RESERVE OUT changes the device, so its descriptor must be
 * writable; the kernel does not check that of a privileged process. An O_PATH
 * descriptor counts as open for reading. */
static bool backend_may_access(Command *command)
{
	int flags;

	if (command->pr.opcode != SCSI_PERSISTENT_RESERVE_OUT)
		return true;
	flags = fcntl(command->fd, F_GETFL);
	if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
		return true;
	command_refuse(command, FAILURE_NOT_SUPPORTED,
		       "the descriptor is open for reading only");
	return false;
}

bool backend_select(Command *command)
{
	struct statx status;

	if (statx(command->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE, &status) < 0) {
		command_refuse(command, FAILURE_NO_SCSI_DEVICE,
			       "cannot examine the descriptor: %s",
			       strerror(errno));
		return false;
	}
	command->block = S_ISBLK(status.stx_mode);
	command->major = status.stx_rdev_major;
	command->minor = status.stx_rdev_minor;
	if (!backend_may_access(command))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++) {
		command->backend = backends[i];
		if (backends[i]->claims(&status, &command->queue_key))
			return true;
	}
	command->backend = NULL;
	command_refuse(command, FAILURE_NO_SCSI_DEVICE, "the descriptor is %s",
		       device_file_text(status.stx_mode));
	return false;
}

/* What is refused for good, as the device itself would refuse it. */
static Failure backend_failure(DeviceKind kind)
{
	return kind == DEVICE_PARTITION || kind == DEVICE_VOLUME
		       ? FAILURE_NOT_SUPPORTED
		       : FAILURE_NO_SCSI_DEVICE;
}

void backend_refuse_kind(Command *command, DeviceKind kind)
{
	/* The two that are served, where a back end did not expect them: the
	 * device number was given to another device meanwhile. */
	if (kind == DEVICE_SCSI || kind == DEVICE_MULTIPATH)
		command_refuse(command, FAILURE_NO_SCSI_DEVICE,
			       "it has become another device");
	else
		command_refuse(command, backend_failure(kind), "it is %s",
			       device_kind_text(kind));
}
