/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGTERM, SIGINT, SIGHUP and SIGUSR1 as events of the main loop. A signalfd,
 * because g_unix_signal_add() would start a thread before privileges are
 * dropped.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <glib.h>
#include <stdbool.h>

#include "base/poller.h"

typedef struct SignalEvents {
	/* Once, at the first SIGTERM, SIGINT or SIGHUP. */
	void (*ended)(int signal, void *data);
	/* At each SIGUSR1: somebody wants to know how the daemon does. */
	void (*asked)(void *data);
} SignalEvents;

/* Blocks these signals, for all threads to come, and ignores the others that
 * tell of no fault of the daemon's. First thing in main(). */
void signals_block(void);

/* Copies `events`, whose functions are called on the main loop. False with
 * *error set on failure. */
bool signals_watch(Poller *poller, const SignalEvents *events, void *data,
		   GError **error);

#endif
