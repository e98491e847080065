/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns of a real main loop, for the unit tests that have one.
 */
#ifndef LOOPING_H
#define LOOPING_H

#include "testing.h"

/* Until the loop has nothing left to do. */
static inline void run_pending(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static inline gboolean give_up(gpointer data)
{
	(void)data;
	g_error("the main loop was not woken");
	return G_SOURCE_REMOVE;
}

/* Turns of the loop that wait, so that a wake-up that is missing shows. */
#define run_until(condition)                                                \
	do {                                                                \
		guint alarm_id = g_timeout_add((guint)(PATIENCE_US / 1000), \
					       give_up, NULL);              \
                                                                            \
		while (!(condition))                                        \
			g_main_context_iteration(NULL, TRUE);               \
		g_source_remove(alarm_id);                                  \
	} while (0)

#endif
