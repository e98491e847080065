/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of a device number in sysfs. No device node's name is
 * used: QEMU may run in a mount namespace with a /dev of its own.
 */
#ifndef SYSFS_H
#define SYSFS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum DeviceKind {
	DEVICE_SCSI,      /* a whole device of the SCSI layer */
	DEVICE_PARTITION, /* a part of some disk */
	DEVICE_MULTIPATH, /* a dm-multipath map */
	DEVICE_VOLUME,    /* any other device-mapper volume */
	DEVICE_OTHER,     /* loop, NVMe, virtio-blk, ... */
	DEVICE_UNKNOWN,   /* not in sysfs: deleted, or no sysfs here */
} DeviceKind;

/* Enough for every kernel name of a block device, with its NUL. */
#define DEVICE_NAME_SIZE 32

/* `block`: a block device's number, else a character device's. `root` is
 * "/sys" but in tests. Worker thread: reads a few links and attributes. */
DeviceKind sysfs_device_kind(const char *root, bool block, unsigned int major,
			     unsigned int minor);

/* The kernel's name of a device ("sda"), or "" where there is none. */
void sysfs_device_name(const char *root, bool block, unsigned int major,
		       unsigned int minor, char ret_name[DEVICE_NAME_SIZE]);

#endif
