/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device is, whether the helper would serve it, and whether it answers
 * the commands. A map is looked at path by path, as the helper does it.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "device/command.h"
#include "device/device.h"
#include "device/sg-io.h"
#include "multipath/broker/privileged.h"
#include "multipathd.h"

#define SYSFS                 "/sys"
#define CHECK_DEVICE_LIMIT_US ((int64_t)5 * 1000 * 1000)
/* A nexus reports each kind of event once before it obeys. */
#define UNIT_ATTENTIONS 8

typedef struct Device {
	const char *node;
	bool block;
	unsigned int major, minor;
	char name[DEVICE_NAME_SIZE]; /* the kernel's */
} Device;

static Command *read_keys(int fd)
{
	static const uint8_t cdb[WIRE_CDB_SIZE] = {
		SCSI_PERSISTENT_RESERVE_IN,
		SCSI_PR_IN_READ_KEYS,
		[7] = WIRE_DATA_MAX >> 8,
	};
	ScsiPrCdb pr;
	Command *command;

	g_assert(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, fd);
	sg_io_send(command, g_get_monotonic_time() + CHECK_DEVICE_LIMIT_US);
	return command;
}

static bool is_unit_attention(const Command *command)
{
	ScsiSense sense;

	return command->reply.status == SCSI_CHECK_CONDITION &&
	       scsi_sense_get(command->reply.sense, WIRE_SENSE_SIZE, &sense) &&
	       sense.key == SCSI_SENSE_UNIT_ATTENTION;
}

static char *outcome(const Command *command)
{
	ScsiSense sense;

	if (command->failure)
		return g_strdup(command->reason);
	if (command->reply.status == SCSI_CHECK_CONDITION &&
	    scsi_sense_get(command->reply.sense, WIRE_SENSE_SIZE, &sense))
		return g_strdup_printf(
			"%s, %s", scsi_sense_key_name(sense.key),
			scsi_sense_code_text(sense.asc, sense.ascq));
	return g_strdup(scsi_status_name(command->reply.status));
}

static void check_keys(Check *check, const char *name, int fd)
{
	Command *command = read_keys(fd);
	g_autofree char *text = NULL;

	for (int i = 0; i < UNIT_ATTENTIONS && is_unit_attention(command);
	     i++) {
		fd = fd_steal(&command->fd);
		command_free(command);
		command = read_keys(fd);
	}
	if (command->reply.status == SCSI_GOOD) {
		check_ok("%s: answers PERSISTENT RESERVE IN", name);
	} else {
		text = outcome(command);
		check_fix(check,
			  "%s: PERSISTENT RESERVE IN fails (%s); see dmesg, "
			  "and whether the storage supports reservations",
			  name, text);
	}
	command_free(command);
}

/* What root may not open, a container was not given. */
static const char *who_may_open(void)
{
	if (geteuid() == 0 && errno == EPERM)
		return "give the container this device (--device)";
	return "start this as root";
}

static void check_scsi(Check *check, const Device *device)
{
	autofd fd = open(device->node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		check_fix(check, "%s: cannot be opened: %s; see dmesg, or %s",
			  device->node, strerror(errno), who_may_open());
	else if (check->may_send)
		check_keys(check, device->node, fd_steal(&fd));
}

/* The name of the map that has this device as a path, or NULL. */
static char *map_above(const Device *device)
{
	g_autofree char *path = g_strdup_printf(
		SYSFS "/dev/block/%u:%u/holders", device->major, device->minor);
	g_autoptr(GDir) holders =
		device->block ? g_dir_open(path, 0, NULL) : NULL;
	const char *name;

	while (holders && (name = g_dir_read_name(holders))) {
		g_autofree char *attribute =
			g_strdup_printf("%s/%s/dm/uuid", path, name);
		g_autofree char *uuid = NULL;

		if (g_file_get_contents(attribute, &uuid, NULL, NULL) &&
		    g_str_has_prefix(uuid, "mpath-"))
			return g_strdup(name);
	}
	return NULL;
}

static void check_disk(Check *check, const Device *device)
{
	g_autofree char *map = map_above(device);

	if (map) {
		check_fix(check,
			  "%s: is a path of the multipath map %s; give the "
			  "guest /dev/%s instead",
			  device->node, map, map);
		return;
	}
	check_ok("%s: is %s (%s)", device->node, device_kind_text(DEVICE_SCSI),
		 device->name);
	check_scsi(check, device);
}

static void check_path(Check *check, int map, const MapPath *path)
{
	PrivilegedRequest request = {
		.action = PRIVILEGED_OPEN_PATH,
		.major = path->major,
		.minor = path->minor,
	};
	g_autofree char *name = g_strdup_printf("path %s", path->name);
	PrivilegedReply reply;
	autofd fd = -1;

	if (!path->running) {
		check_fix(check,
			  "%s: is not running; see /sys/block/%s/device/state, "
			  "dmesg and the cables",
			  name, path->name);
		return;
	}
	privileged_execute(&request, map, &reply, &fd);
	if (fd >= 0)
		check_keys(check, name, fd_steal(&fd));
	else if (reply.error == ENOENT)
		check_fix(check,
			  "%s: has no node /dev/%s here, which a guest's own "
			  "/dev or a unit's DeviceAllow= may hide",
			  name, path->name);
	else
		check_fix(check,
			  "%s: cannot be opened: %s; see dmesg and the "
			  "cables",
			  name, strerror(reply.error));
}

static void check_paths(Check *check, const Device *device, const Map *map)
{
	autofd fd = open(device->node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		check_fix(check, "%s: cannot be opened: %s", device->node,
			  strerror(errno));
		return;
	}
	for (size_t i = 0; i < map->n_paths; i++)
		check_path(check, fd, &map->paths[i]);
}

static void check_map(Check *check, const Device *device)
{
	Map map;

	if (!map_read(SYSFS, device->major, device->minor, &map)) {
		check_fix(check,
			  "%s: is a multipath map that cannot be read "
			  "from /sys; see multipath -ll",
			  device->node);
		return;
	}
	if (map.n_paths == 0)
		check_fix(check,
			  "%s: is the multipath map %s without a path; "
			  "see multipath -ll, dmesg and the cables",
			  device->node, map.alias);
	else
		check_ok("%s: is the multipath map %s (%s) of %zu path%s",
			 device->node, map.alias, map.name, map.n_paths,
			 map.n_paths == 1 ? "" : "s");
	if (geteuid() != 0) {
		check_fix(check,
			  "%s: a helper that is not started as root "
			  "cannot serve maps; start it as root, with -u "
			  "to become another user",
			  device->node);
	} else if (check->may_send) {
		check_paths(check, device, &map);
	}
	check_multipathd(check, &map);
}

static void check_kind(Check *check, const Device *device)
{
	DeviceKind kind =
		device_kind(SYSFS, device->block, device->major, device->minor);

	/* Tapes and bsg nodes are SCSI's, too. */
	if (!device->block && device->major != SCSI_GENERIC_MAJOR)
		kind = DEVICE_OTHER;
	if (kind == DEVICE_SCSI)
		check_disk(check, device);
	else if (kind == DEVICE_MULTIPATH)
		check_map(check, device);
	else
		check_fix(check, "%s: is %s", device->node,
			  device_kind_text(kind));
}

void check_device(Check *check, const char *node)
{
	Device device = { .node = node };
	struct stat status;

	if (!*node) {
		check_fix(check, "device: an empty name was given; name the "
				 "guest's disk, or none");
		return;
	}
	if (stat(node, &status) < 0) {
		check_fix(check, "%s: %s; see lsblk and ls -l", node,
			  strerror(errno));
		return;
	}
	device.block = S_ISBLK(status.st_mode);
	if (!device.block && !S_ISCHR(status.st_mode)) {
		check_fix(check, "%s: is %s; give the guest a SCSI disk", node,
			  device_file_text(status.st_mode));
		return;
	}
	device.major = major(status.st_rdev);
	device.minor = minor(status.st_rdev);
	device_name(SYSFS, device.block, device.major, device.minor,
		    device.name);
	check_kind(check, &device);
}
