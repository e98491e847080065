/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's view of the daemon. Sent here and not by sd_notify(),
 * because that one waits while the manager does not read: a frozen or busy
 * process 1 would stop every virtual machine's commands.
 */
#include "process/notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/unix-socket.h"
#include "systemd.h"

/* While it stops, it asks systemd for a little more time, again and again. So
 * the unit's TimeoutStopSec= can be short: it bounds a loop that is stuck, and
 * what comes after the loop, where a thread hangs in the kernel. */
#define ASK_INTERVAL   500 /* milliseconds */
#define EXTENSION_USEC "2500000"

/* READY has to arrive; in milliseconds. */
#define RETRY_INTERVAL 100

static guint ready_retry;

/* A path, or with "@" a name in the abstract namespace. */
static bool notify_address(UnixAddress *ret_address)
{
	const char *name = g_getenv("NOTIFY_SOCKET");

	return name && strlen(name) >= 2 && strchr("/@", name[0]) &&
	       unix_address_of_name(name, ret_address);
}

/* False: the manager has no room for it now. */
static bool tell(const char *state)
{
	UnixAddress address;
	autofd fd = -1;

	if (!notify_address(&address))
		return true;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		      (struct sockaddr *)&address.name, address.length) >= 0 ||
	       errno != EAGAIN;
}

static gboolean tell_ready(gpointer data)
{
	(void)data;
	if (!tell("READY=1\nSTATUS=Serving."))
		return G_SOURCE_CONTINUE;
	ready_retry = 0;
	return G_SOURCE_REMOVE;
}

static gboolean feed_watchdog(gpointer data)
{
	(void)data;
	tell("WATCHDOG=1");
	return G_SOURCE_CONTINUE;
}

void notify_ready(void)
{
	uint64_t limit = systemd_watchdog_us();

	if (tell_ready(NULL) == G_SOURCE_CONTINUE)
		ready_retry = g_timeout_add(RETRY_INTERVAL, tell_ready, NULL);
	if (limit > 0)
		g_timeout_add((guint)CLAMP(limit / 1000 / 2, 1, G_MAXUINT),
			      feed_watchdog, NULL);
}

static gboolean ask_for_time(gpointer data)
{
	(void)data;
	tell("EXTEND_TIMEOUT_USEC=" EXTENSION_USEC);
	return G_SOURCE_CONTINUE;
}

void notify_stopping(void)
{
	g_clear_handle_id(&ready_retry, g_source_remove);
	tell("STOPPING=1\nSTATUS=Answering what clients have sent.\n"
	     "EXTEND_TIMEOUT_USEC=" EXTENSION_USEC);
	g_timeout_add(ASK_INTERVAL, ask_for_time, NULL);
}
