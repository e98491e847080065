/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device is, as the kernel says in sysfs, and in words. Devices are
 * found by number and never by a node's name: QEMU may run in a mount namespace
 * with a /dev of its own.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef enum DeviceKind {
	DEVICE_SCSI,      /* a whole device of the SCSI layer */
	DEVICE_PARTITION, /* a part of some disk */
	DEVICE_MULTIPATH, /* a dm-multipath map */
	DEVICE_VOLUME,    /* any other device-mapper volume */
	DEVICE_OTHER,     /* loop, NVMe, virtio-blk, ... */
	DEVICE_UNKNOWN,   /* not in sysfs: deleted, or no sysfs here */
	DEVICE_KIND_COUNT,
} DeviceKind;

/* Enough for every kernel name of a block device, with its NUL. */
#define DEVICE_NAME_SIZE 32

/* `block`: a block device's number, else a character device's. `root` is
 * "/sys" but in tests. Worker thread: reads a few links and attributes. */
DeviceKind device_kind(const char *root, bool block, unsigned int major,
		       unsigned int minor);

/* The kernel's name of a device ("sda"), or "" where there is none. */
void device_name(const char *root, bool block, unsigned int major,
		 unsigned int minor, char ret_name[DEVICE_NAME_SIZE]);

/* What a device of this kind is, to complete "it is ...", with what to do where
 * that is no use to a guest. Static; at most 150 characters. Pure. */
const char *device_kind_text(DeviceKind kind);

/* What a file of this mode (stat(2)) is: "a regular file". Static. Pure. */
const char *device_file_text(mode_t mode);

#endif
