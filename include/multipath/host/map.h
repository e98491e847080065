/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dm-multipath map and its paths, as sysfs shows them: nothing of it needs a
 * privilege, libdevmapper or multipathd. A snapshot; paths come and go.
 */
#ifndef MULTIPATH_MAP_H
#define MULTIPATH_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "device/device.h"

/* More paths than this are not looked at; dm-multipath's users have 2 to 32. */
#define MAP_PATHS_MAX 64

/* The kernel's DM_NAME_LEN and DM_UUID_LEN, with their NUL. */
#define MAP_ALIAS_SIZE 128
#define MAP_UUID_SIZE  129

typedef struct MapPath {
	char name[DEVICE_NAME_SIZE]; /* the kernel's: "sda" */
	unsigned int major, minor;
	unsigned int host; /* number of the SCSI host, the initiator port */
	bool running; /* the SCSI layer takes commands for it ("running") */
} MapPath;

typedef struct Map {
	char name[DEVICE_NAME_SIZE]; /* the kernel's: "dm-3" */
	char alias[MAP_ALIAS_SIZE];  /* the administrator's: "mpatha" */
	char uuid[MAP_UUID_SIZE];    /* "mpath-" and the unit's WWID */
	size_t n_paths;
	MapPath paths[MAP_PATHS_MAX]; /* ordered by device number */
} Map;

/* Reads the map with this device number. False: it is none, it is gone, or
 * descriptors or memory are short.
 * `root` is "/sys" but in tests. Any thread; reads some attributes of sysfs. */
bool map_read(const char *root, unsigned int major, unsigned int minor,
	      Map *ret_map);

/* Where the same path is in a map as it was or is at another time. False:
 * nowhere. Pure. */
bool map_find(const Map *map, const MapPath *path, size_t *ret_i);

#endif
