/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's view of the daemon.
 */
#include "notify.h"

#include <systemd/sd-daemon.h>

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

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Answering what clients have sent.");
}
