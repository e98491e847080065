/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multipathd, as multipath maps need it.
 */
#ifndef CHECK_MULTIPATHD_H
#define CHECK_MULTIPATHD_H

#include "multipath/host/map.h"
#include "report.h"

/* For this map; NULL: for none in particular. */
void check_multipathd(Check *check, const Map *map);

#endif
