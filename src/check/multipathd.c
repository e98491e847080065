/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multipathd is asked and never told.
 */
#include "multipathd.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "multipath/host/conf.h"
#include "multipath/host/multipathd.h"

/* For an answer, in milliseconds. */
#define CHECK_MULTIPATHD_LIMIT_MS 5000

#define LINE "reservation_key file"

static void check_result(Check *check, MultipathdResult result)
{
	switch (result) {
	case MULTIPATHD_ABSENT:
		check_fix(check, "multipathd: does not run, so nobody can "
				 "register on a map; systemctl enable --now "
				 "multipathd");
		break;
	case MULTIPATHD_DENIED:
		check_fix(check, "multipathd: does not talk to you; start as "
				 "root");
		break;
	case MULTIPATHD_SILENT:
		check_fix(check, "multipathd: does not answer; see its log, "
				 "restart it");
		break;
	default:
		check_fix(check, "multipathd: does not say what it is "
				 "configured to do; it may be too old");
	}
}

static void check_reservation_key(Check *check, const char *text,
				  const Map *map)
{
	g_autofree char *key = multipath_conf_reservation_key(
		text, map ? map->uuid + strlen("mpath-") : "");

	if (g_strcmp0(key, "file") == 0)
		check_ok("multipath.conf: has '" LINE "'%s%s",
			 map ? " for " : "", map ? map->alias : "");
	else if (key)
		check_fix(check,
			  "multipath.conf: says 'reservation_key %s', so "
			  "guests cannot register; make that '" LINE
			  "', then: multipathd reconfigure",
			  key);
	else
		check_fix(check,
			  "multipath.conf: lacks the line '" LINE
			  "' in its section 'defaults', so guests cannot "
			  "register; add it, then: multipathd reconfigure");
}

/* It answers; does it know the map? */
static void check_map_known(Check *check, const Map *map)
{
	MultipathdAnswer answer =
		multipathd_ask(MULTIPATHD_GET_KEY, map->name, 0, false,
			       CHECK_MULTIPATHD_LIMIT_MS);

	if (answer.result == MULTIPATHD_OK)
		check_ok("multipathd: answers, and knows the map %s",
			 map->alias);
	else if (answer.result == MULTIPATHD_FAILED)
		check_fix(check,
			  "multipathd: does not know the map %s, or is older "
			  "than 0.7; see multipath -ll %s",
			  map->alias, map->alias);
	else
		check_result(check, answer.result);
}

/* Does any map want it? */
static bool are_there_maps(void)
{
	g_autoptr(GDir) devices = g_dir_open("/sys/block", 0, NULL);
	const char *name;

	while (devices && (name = g_dir_read_name(devices))) {
		g_autofree char *path =
			g_strdup_printf("/sys/block/%s/dm/uuid", name);
		g_autofree char *uuid = NULL;

		if (g_file_get_contents(path, &uuid, NULL, NULL) &&
		    g_str_has_prefix(uuid, "mpath-"))
			return true;
	}
	return false;
}

void check_multipathd(Check *check, const Map *map)
{
	g_autofree char *text = NULL;
	MultipathdResult result =
		multipathd_configuration(CHECK_MULTIPATHD_LIMIT_MS, &text);

	if (result == MULTIPATHD_ABSENT && !map && !are_there_maps()) {
		check_ok("multipathd: does not run, and there are no maps");
	} else if (result != MULTIPATHD_OK) {
		check_result(check, result);
	} else {
		if (map)
			check_map_known(check, map);
		else
			check_ok("multipathd: answers");
		check_reservation_key(check, text, map);
	}
}
