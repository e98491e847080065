/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent reservations on a dm-multipath map: which command goes down which
 * path in which order, and what comes of each mix of answers. To the guest the
 * map is one I_T nexus; to the device each path is one of its own. The rules
 * are in docs/MULTIPATH.md. Policy only: all I/O is behind MultipathWorld.
 */
#ifndef MULTIPATH_EXECUTE_H
#define MULTIPATH_EXECUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "device/command.h"
#include "multipath/host/map-record.h"
#include "multipath/host/map.h"
#include "multipath/host/multipathd.h"

/* How a request goes down a path. */
typedef struct Send {
	/* With so many other paths, at most, the path shares the time that is
	 * left. */
	size_t share;
	/* Sent although the deadline has passed. */
	bool after_deadline;
} Send;

/* What the policy asks of the world. Behind this are sysfs, SG_IO and
 * multipathd, or a test's model of them. Blocking calls are made on the
 * command's thread only. */
typedef struct MultipathWorld {
	/* The map as it is now; valid until the next call. NULL: it has gone.
	 */
	const Map *(*read_map)(void *data);
	/* Sends down a path, and answers the attempt, always. */
	void (*send)(void *data, const MapPath *path, Send send,
		     Command *attempt);
	/* Asks multipathd about this map. */
	MultipathdAnswer (*tell)(void *data, MultipathdVerb verb, uint64_t key,
				 bool aptpl);
	/* The record of this map; kept by the world between commands. */
	Hold (*hold_get)(void *data);
	void (*hold_set)(void *data, Hold hold);
	/* What the operator has to know although the command goes on. */
	void (*warn)(void *data, const char *text);
	void *data;
} MultipathWorld;

/* Executes the command on the map, and answers it, always. */
void multipath_execute(Command *command, const MultipathWorld *world);

/* How much of the time that is left one path gets. Pure. */
int64_t multipath_time_us(int64_t left_us, Send send);

#endif
