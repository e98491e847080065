/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One GSource over an epoll descriptor, and GLib's polling done by that
 * descriptor, too. The hard rule: a watch that was removed is never called
 * again, not even for an event already fetched.
 */
#include "base/poller.h"

#include <errno.h>
#include <glib.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/thread.h"

#define BATCH 64

struct Poller {
	GSource source; /* must be first: GLib allocates it */
	int epoll;
	struct epoll_event batch[BATCH];
	int fetched; /* events in the batch */
	int next;    /* the next one to deliver */
	void (*turn)(void *data);
	void *turn_data;

	GPollFunc inherited; /* what polled for GLib before */
	int wakeup; /* GLib's own descriptor, once it is in the epoll set */
};

/* A GPollFunc is given no data; the default main context has one poller. */
static Poller *the_poller;

/* The descriptors that GLib wants polled, where they are what they are as a
 * rule: its own wake-up and our epoll descriptor. */
typedef struct Usual {
	GPollFD *wakeup, *epoll;
} Usual;

static bool is_usual(const Poller *poller, GPollFD *fds, guint count,
		     Usual *ret_usual)
{
	if (count != 2 || fds[0].events != G_IO_IN)
		return false;
	*ret_usual = fds[0].fd == poller->epoll ? (Usual) { &fds[1], &fds[0] }
						: (Usual) { &fds[0], &fds[1] };
	return ret_usual->epoll->fd == poller->epoll;
}

/* A watch of NULL stands for GLib's wake-up. */
static bool adopt_wakeup(Poller *poller, int wakeup)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (poller->wakeup == wakeup)
		return true;
	if (epoll_ctl(poller->epoll, EPOLL_CTL_ADD, wakeup, &event) < 0 &&
	    errno != EEXIST)
		return false;
	poller->wakeup = wakeup;
	return true;
}

static void fetch(Poller *poller, int timeout)
{
	poller->fetched =
		epoll_wait(poller->epoll, poller->batch, BATCH, timeout);
	poller->next = 0;
}

/* Polls for GLib. As a rule one epoll_wait() does, instead of a poll() that
 * says no more than that there is something to fetch. */
static gint poll_for_glib(GPollFD *fds, guint count, gint timeout)
{
	Poller *poller = the_poller;
	Usual usual;

	poller->fetched = 0;
	if (!is_usual(poller, fds, count, &usual) ||
	    !adopt_wakeup(poller, usual.wakeup->fd))
		return poller->inherited(fds, count, timeout);

	usual.wakeup->revents = 0;
	usual.epoll->revents = 0;
	fetch(poller, timeout);
	for (int i = 0; i < poller->fetched; i++)
		if (poller->batch[i].data.ptr)
			usual.epoll->revents = G_IO_IN;
		else
			usual.wakeup->revents = G_IO_IN;
	return !!usual.wakeup->revents + !!usual.epoll->revents;
}

static gboolean poller_dispatch(GSource *source, GSourceFunc callback,
				gpointer data)
{
	Poller *poller = (Poller *)source;

	(void)callback;
	(void)data;
	if (poller->fetched <= 0) /* somebody else has polled */
		fetch(poller, 0);
	if (poller->turn)
		poller->turn(poller->turn_data);
	while (poller->next < poller->fetched) {
		struct epoll_event *event = &poller->batch[poller->next++];
		Watch *watch = event->data.ptr;

		if (watch)
			watch->ready(watch, event->events);
	}
	poller->fetched = 0;
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

static void poll_in_place_of_glib(Poller *poller)
{
	GMainContext *context = g_main_context_default();

	poller->wakeup = -1;
	poller->inherited = g_main_context_get_poll_func(context);
	the_poller = poller;
	g_main_context_set_poll_func(context, poll_for_glib);
}

Poller *poller_new(GError **error)
{
	autofd epoll = epoll_create1(EPOLL_CLOEXEC);
	GSource *source;

	g_assert(!the_poller);
	if (epoll < 0) {
		error_set_errno(error, "cannot create an epoll descriptor");
		return NULL;
	}
	source = g_source_new(&poller_funcs, sizeof(Poller));
	g_source_add_unix_fd(source, epoll, G_IO_IN);
	((Poller *)source)->epoll = fd_steal(&epoll);
	/* Else GLib takes the descriptor out of its poll set and puts it back
	 * around each dispatch, and wakes itself up for that. */
	g_source_set_can_recurse(source, TRUE);
	g_source_attach(source, NULL);
	poll_in_place_of_glib((Poller *)source);
	return (Poller *)source;
}

void poller_free(Poller *poller)
{
	if (!poller)
		return;
	g_main_context_set_poll_func(g_main_context_default(),
				     poller->inherited);
	the_poller = NULL;
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

	g_assert(thread_is_main() && watch->fd >= 0 && watch->ready);
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
