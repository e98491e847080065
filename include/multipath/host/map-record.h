/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this process remembers of a map between commands; by the map's UUID,
 * which stays when the map is made anew. In memory only, never freed: as many
 * as the host has had maps. Any thread.
 */
#ifndef MULTIPATH_MAP_RECORD_H
#define MULTIPATH_MAP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

/* What this host holds on a map, as far as this process has seen it. Asked
 * before a reservation is taken off a path that is dead: never the only proof.
 */
typedef struct Hold {
	bool held;
	uint64_t key;
	uint8_t type; /* SPC-4 6.15.3.4 */
} Hold;

Hold map_record_hold(const char *uuid);
void map_record_set_hold(const char *uuid, Hold hold);

/* Whether a warning about this map may be written now, so that a guest that
 * loops does not flood the log. *ret_suppressed: so many were not. */
bool map_record_admit_warning(const char *uuid, int64_t now,
			      unsigned int *ret_suppressed);

#endif
