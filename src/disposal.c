/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane for close(). The hard rule: nothing is closed on the thread that
 * asks for it.
 */
#include "disposal.h"

#include <glib-unix.h>
#include <stdatomic.h>
#include <unistd.h>

/* No device has this key: device numbers leave the top bits clear. */
#define DISPOSAL_KEY UINT64_MAX

typedef struct Disposal {
	Task task;
	int fd;
} Disposal;

static const LaneLimits limits = {
	.threads = DISPOSAL_THREADS,
	.patient = true,
};

static atomic_uint pending;

static void disposal_run(Task *task)
{
	Disposal *disposal = (Disposal *)task;

	close(disposal->fd);
	g_free(disposal);
	atomic_fetch_sub(&pending, 1);
}

void disposal_close(Lanes *lanes, int *fd)
{
	Disposal *disposal;

	if (*fd < 0)
		return;
	disposal = g_new0(Disposal, 1);
	disposal->task.run = disposal_run;
	disposal->fd = g_steal_fd(fd);
	atomic_fetch_add(&pending, 1);
	lanes_push(lanes, DISPOSAL_KEY, &limits, &disposal->task);
}

unsigned int disposal_pending(void)
{
	return atomic_load(&pending);
}

void disposal_wait(unsigned int milliseconds)
{
	for (; milliseconds > 0 && disposal_pending() > 0; milliseconds--)
		g_usleep(1000);
}
