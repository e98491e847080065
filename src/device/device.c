/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells a whole SCSI device from everything that merely lies on one. The hard
 * rule: what cannot be told is DEVICE_UNKNOWN, never DEVICE_SCSI.
 */
#include "device/device.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

typedef struct DevicePath {
	char text[256];
} DevicePath;

static DevicePath device_path(const char *root, bool block, unsigned int major,
			      unsigned int minor, const char *attribute)
{
	DevicePath path;

	snprintf(path.text, sizeof(path.text), "%s/dev/%s/%u:%u%s", root,
		 block ? "block" : "char", major, minor, attribute);
	return path;
}

/* The last component of what a link points to; "" where there is no link. */
static void device_link_name(const char *link, char *ret_name, size_t size)
{
	char target[512];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	const char *slash;

	target[MAX(n, 0)] = '\0';
	slash = strrchr(target, '/');
	g_strlcpy(ret_name, slash ? slash + 1 : target, size);
}

static bool device_is_multipath(const char *uuid_path)
{
	static const char prefix[] = "mpath-";
	char uuid[sizeof(prefix)] = "";
	autofd fd = open(uuid_path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, uuid, sizeof(prefix) - 1) > 0 &&
	       strcmp(uuid, prefix) == 0;
}

DeviceKind device_kind(const char *root, bool block, unsigned int major,
		       unsigned int minor)
{
	char subsystem[DEVICE_NAME_SIZE];

#define PATH(attribute) device_path(root, block, major, minor, attribute).text
	/* The one look that a usual command costs: the node of a whole device
	 * hangs below its SCSI device; a partition has no "device" link. */
	device_link_name(PATH("/device/subsystem"), subsystem,
			 sizeof(subsystem));
	if (strcmp(subsystem, "scsi") == 0)
		return DEVICE_SCSI;
	if (access(PATH(""), F_OK) < 0)
		return DEVICE_UNKNOWN;
	if (access(PATH("/partition"), F_OK) == 0)
		return DEVICE_PARTITION;
	if (access(PATH("/dm"), F_OK) == 0)
		return device_is_multipath(PATH("/dm/uuid")) ? DEVICE_MULTIPATH
							     : DEVICE_VOLUME;
	return DEVICE_OTHER;
#undef PATH
}

void device_name(const char *root, bool block, unsigned int major,
		 unsigned int minor, char ret_name[DEVICE_NAME_SIZE])
{
	DevicePath path = device_path(root, block, major, minor, "");

	device_link_name(path.text, ret_name, DEVICE_NAME_SIZE);
}

const char *device_kind_text(DeviceKind kind)
{
	static const char *const texts[DEVICE_KIND_COUNT] = {
		[DEVICE_SCSI] = "a whole SCSI device",
		[DEVICE_PARTITION] = "a partition; give the guest the whole "
				     "disk",
		[DEVICE_MULTIPATH] = "a multipath map",
		[DEVICE_VOLUME] = "a device-mapper volume or a partition of a "
				  "map; give the guest the whole disk or map "
				  "that it is on",
		[DEVICE_OTHER] = "not a SCSI device; give the guest a SCSI "
				 "disk (NVMe and virtio disks are none), its "
				 "sg node, or a multipath map",
		[DEVICE_UNKNOWN] = "not in /sys/dev: it has been deleted, or "
				   "/sys is not the host's; rescan, or mount "
				   "/sys",
	};

	g_assert(kind < DEVICE_KIND_COUNT);
	return texts[kind];
}

const char *device_file_text(mode_t mode)
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
		return "a block device that no back end serves";
	case S_IFCHR:
		return "a character device other than a SCSI generic node";
	default:
		return "an anonymous file";
	}
}
