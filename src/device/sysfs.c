/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells a whole SCSI device from everything that merely lies on one. The hard
 * rule: what cannot be told is DEVICE_UNKNOWN, never DEVICE_SCSI.
 */
#include "device/sysfs.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
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
static void link_target_name(const char *link, char *ret_name, size_t size)
{
	char target[512];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	const char *slash;

	target[MAX(n, 0)] = '\0';
	slash = strrchr(target, '/');
	g_strlcpy(ret_name, slash ? slash + 1 : target, size);
}

static bool is_multipath(const char *uuid_path)
{
	static const char prefix[] = "mpath-";
	char uuid[sizeof(prefix)] = "";
	autofd fd = open(uuid_path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, uuid, sizeof(prefix) - 1) > 0 &&
	       strcmp(uuid, prefix) == 0;
}

DeviceKind sysfs_device_kind(const char *root, bool block, unsigned int major,
			     unsigned int minor)
{
	char subsystem[DEVICE_NAME_SIZE];

#define PATH(attribute) device_path(root, block, major, minor, attribute).text
	/* The one look that a usual command costs: the node of a whole device
	 * hangs below its SCSI device; a partition has no "device" link. */
	link_target_name(PATH("/device/subsystem"), subsystem,
			 sizeof(subsystem));
	if (strcmp(subsystem, "scsi") == 0)
		return DEVICE_SCSI;
	if (access(PATH(""), F_OK) < 0)
		return DEVICE_UNKNOWN;
	if (access(PATH("/partition"), F_OK) == 0)
		return DEVICE_PARTITION;
	if (access(PATH("/dm"), F_OK) == 0)
		return is_multipath(PATH("/dm/uuid")) ? DEVICE_MULTIPATH
						      : DEVICE_VOLUME;
	return DEVICE_OTHER;
#undef PATH
}

void sysfs_device_name(const char *root, bool block, unsigned int major,
		       unsigned int minor, char ret_name[DEVICE_NAME_SIZE])
{
	DevicePath path = device_path(root, block, major, minor, "");

	link_target_name(path.text, ret_name, DEVICE_NAME_SIZE);
}
