/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the policy of multipath maps asks of the world. Behind this are sysfs,
 * SG_IO and multipathd, or a test's model of them.
 */
#ifndef MULTIPATH_WORLD_H
#define MULTIPATH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "device/command.h"
#include "multipath/host/map-record.h"
#include "multipath/host/map.h"
#include "multipath/host/multipathd.h"

/* Blocking calls are made on the command's thread only. */
typedef struct MultipathWorld {
	/* The map as it is now. False: it has gone. */
	bool (*read_map)(void *data, Map *ret_map);
	/* Sends down a path, and answers the attempt, always. `others`: with
	 * so many paths it shares the time that is left. `must`: sent
	 * after the deadline, too. */
	void (*send)(void *data, const MapPath *path, size_t others, bool must,
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

/* How much of the time that is left, in microseconds, one path gets. Pure. */
int64_t multipath_share(int64_t left, size_t others, bool must);

#endif
