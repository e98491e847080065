/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One GSource over an epoll descriptor. The hard rule: a watch that was
 * removed is never called again, not even for an event already fetched.
 */
#include "poller.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/epoll.h>

#include "error.h"
#include "fd.h"

#define BATCH 64

struct Poller {
	GSource source; /* must be first: GLib allocates it */
	int epoll;
	struct epoll_event batch[BATCH];
	int fetched; /* events in the batch */
	int next;    /* the next one to deliver */
	void (*turn)(void *data);
	void *turn_data;
};

static gboolean poller_dispatch(GSource *source, GSourceFunc callback,
				gpointer data)
{
	Poller *poller = (Poller *)source;

	(void)callback;
	(void)data;
	poller->fetched = epoll_wait(poller->epoll, poller->batch, BATCH, 0);
	poller->next = 0;
	if (poller->turn)
		poller->turn(poller->turn_data);
	while (poller->next < poller->fetched) {
		struct epoll_event *event = &poller->batch[poller->next++];
		Watch *watch = event->data.ptr;

		if (watch)
			watch->ready(watch, event->events);
	}
	return G_SOURCE_CONTINUE;
}

static void poller_finalize(GSource *source)
{
	fd_clear(&((Poller *)source)->epoll);
}

static GSourceFuncs poller_funcs = {
	.dispatch = poller_dispatch,
	.finalize = poller_finalize,
};

Poller *poller_new(GError **error)
{
	autofd epoll = epoll_create1(EPOLL_CLOEXEC);
	GSource *source;

	if (epoll < 0) {
		error_set_errno(error, "cannot create an epoll descriptor");
		return NULL;
	}
	source = g_source_new(&poller_funcs, sizeof(Poller));
	g_source_add_unix_fd(source, epoll, G_IO_IN);
	((Poller *)source)->epoll = g_steal_fd(&epoll);
	/* Else GLib takes the descriptor out of its poll set and puts it back
	 * around each dispatch, and wakes itself up for that. */
	g_source_set_can_recurse(source, TRUE);
	g_source_attach(source, NULL);
	return (Poller *)source;
}

void poller_free(Poller *poller)
{
	if (!poller)
		return;
	g_source_destroy(&poller->source);
	g_source_unref(&poller->source);
}

void poller_on_turn(Poller *poller, void (*turn)(void *data), void *data)
{
	poller->turn = turn;
	poller->turn_data = data;
}

static int control(Poller *poller, int operation, Watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	watch->events = events;
	return epoll_ctl(poller->epoll, operation, watch->fd, &event);
}

bool poller_add(Poller *poller, Watch *watch, uint32_t events)
{
	return control(poller, EPOLL_CTL_ADD, watch, events) == 0;
}

void poller_modify(Poller *poller, Watch *watch, uint32_t events)
{
	if (watch->events != events)
		control(poller, EPOLL_CTL_MOD, watch, events);
}

void poller_remove(Poller *poller, Watch *watch)
{
	control(poller, EPOLL_CTL_DEL, watch, 0);
	for (int i = poller->next; i < poller->fetched; i++)
		if (poller->batch[i].data.ptr == watch)
			poller->batch[i].data.ptr = NULL;
}
