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
#include <sys/sysmacros.h>

static const Backend *const backends[] = {
	&backend_multipath,
	&backend_scsi,
};

uint64_t backend_capabilities(void)
{
	uint64_t capabilities = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++)
		capabilities |= backends[i]->capabilities;
	return capabilities;
}

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFBLK:
		return "a block device that no back end knows";
	case S_IFCHR:
		return "a character device other than a SCSI generic node";
	default:
		return "an anonymous file";
	}
}

/* PERSISTENT RESERVE OUT changes the device, so its descriptor must be
 * writable; the kernel does not check that of a privileged process. An O_PATH
 * descriptor counts as open for reading. */
static bool access_suffices(Command *command)
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
	if (!access_suffices(command))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++) {
		command->backend = backends[i];
		if (backends[i]->claims(&status, &command->queue_key))
			return true;
	}
	command->backend = NULL;
	command_refuse(command, FAILURE_NO_SCSI_DEVICE, "the descriptor is %s",
		       kind_name(status.stx_mode));
	return false;
}

void backend_refuse_kind(Command *command, DeviceKind kind)
{
	static const struct {
		Failure failure;
		const char *reason;
	} refusals[] = {
		/* The two that are served, where a back end did not expect
		 * them: the device number was given to another meanwhile. */
		[DEVICE_SCSI] = { FAILURE_NO_SCSI_DEVICE,
				  "it has become another device" },
		[DEVICE_MULTIPATH] = { FAILURE_NO_SCSI_DEVICE,
				       "it has become another device" },
		[DEVICE_PARTITION] = { FAILURE_NOT_SUPPORTED,
				       "it is a partition; give the guest the "
				       "whole disk" },
		[DEVICE_VOLUME] = { FAILURE_NOT_SUPPORTED,
				    "it is a device-mapper volume; give the "
				    "guest the whole disk" },
		[DEVICE_OTHER] = { FAILURE_NO_SCSI_DEVICE,
				   "it is not a SCSI device" },
		[DEVICE_UNKNOWN] = { FAILURE_NO_SCSI_DEVICE,
				     "it is not in /sys/dev; was it deleted, "
				     "or is sysfs not mounted?" },
	};

	command_refuse(command, refusals[kind].failure, "%s",
		       refusals[kind].reason);
}
