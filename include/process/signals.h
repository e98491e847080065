/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGTERM, SIGINT and SIGHUP as an event of the main loop. A signalfd, because
 * g_unix_signal_add() would start a thread before privileges are dropped.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <glib.h>
#include <stdbool.h>

#include "base/poller.h"

/* Blocks the signals, for all threads to come, and ignores SIGPIPE. First
 * thing in main(). */
void signals_block(void);

/* Calls `ended` once, when the first of them arrives. False with *error set
 * on failure. */
bool signals_watch(Poller *poller, void (*ended)(int signal, void *data),
		   void *data, GError **error);

#endif
