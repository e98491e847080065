/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service manager is told, by the protocol of sd_notify(3), without
 * waiting for it. All of it is nothing where none listens.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <glib.h>

/* READY, and from now on the watchdog is fed from the main loop, if the unit
 * asks for one: a stuck loop lets it fire. */
void notify_ready(void);

/* STOPPING, and from now on the unit's TimeoutStopSec= is put off as long as
 * the main loop turns. */
void notify_stopping(void);

#endif
