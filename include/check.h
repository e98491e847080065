/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --check: whether this host is ready for guests, said to an administrator
 * before the first of them starts. One line for each finding on standard
 * output: "ok", or "FIX" and how to. Nothing is changed, and no disk is sent
 * more than PERSISTENT RESERVE IN.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

#include "map.h"
#include "options.h"

/* True: nothing has to be fixed. Blocks as long as a device does. */
bool check_host(const Options *options);

/* What its parts share. */
typedef struct Check {
	const Options *options;
	bool may_send; /* this process may send the commands */
	unsigned int to_fix;
} Check;

/* One line each, printf format without a line end. The second says what is
 * wrong, then how to fix it. */
void check_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_fix(Check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The socket that clients will connect to. */
void check_socket(Check *check);

/* multipathd, for this map; NULL: for none in particular. */
void check_multipathd(Check *check, const Map *map);

/* A device that a guest is to have, by its node. */
void check_device(Check *check, const char *node);

/* Sends READ KEYS on a descriptor of a SCSI device, which is taken; `name` is
 * how the device is called. */
void check_keys(Check *check, const char *name, int fd);

#endif
