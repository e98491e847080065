/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's view of the daemon.
 */
#include "notify.h"

#include <systemd/sd-daemon.h>

/* While it stops, it asks systemd for a little more time, again and again. So
 * the unit's TimeoutStopSec= can be short: it bounds a loop that is stuck, and
 * what comes after the loop, where a thread hangs in the kernel. */
#define ASK_INTERVAL   500 /* milliseconds */
#define EXTENSION_USEC "2500000"

static gboolean feed_watchdog(gpointer data)
{
	(void)data;
	sd_notify(0, "WATCHDOG=1");
	return G_SOURCE_CONTINUE;
}

void notify_ready(void)
{
	guint64 interval = 0;

	sd_notify(0, "READY=1\nSTATUS=Serving.");
	if (sd_watchdog_enabled(0, &interval) > 0)
		g_timeout_add((guint)MAX(interval / 1000 / 2, 1), feed_watchdog,
			      NULL);
}

static gboolean ask_for_time(gpointer data)
{
	(void)data;
	sd_notify(0, "EXTEND_TIMEOUT_USEC=" EXTENSION_USEC);
	return G_SOURCE_CONTINUE;
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Answering what clients have sent.\n"
		     "EXTEND_TIMEOUT_USEC=" EXTENSION_USEC);
	g_timeout_add(ASK_INTERVAL, ask_for_time, NULL);
}
