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

#include "process/options.h"

typedef struct Check {
	const Options *options;
	bool may_send; /* this process may send the commands */
	unsigned int to_fix;
} Check;

/* What main's table of the start calls for its steps; the first one first, as
 * the others need to know what this process may do. */
void check_privileges(Check *check);
void check_pidfile(Check *check);
void check_socket(Check *check);
void check_descriptors(Check *check);

/* What is looked at besides: the devices of the options, or multipathd. Blocks
 * as long as a device does. */
void check_devices(Check *check);

#endif
