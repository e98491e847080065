/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hard rule: whatever the descriptor table is like, the loop neither stops
 * accepting for good nor spins.
 */
#include "acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "audit.h"
#include "base/container.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/thread.h"
#include "threads/closer.h"

/* Clients accepted in one turn of the loop. */
#define ACCEPT_BATCH 32

/* How long to leave the listening socket alone when no descriptor is to be
 * had, in milliseconds. */
#define PAUSE_MS 100

/* An error of accept() may stay: it is told once in this time, in microseconds.
 */
#define ERROR_INTERVAL_US ((int64_t)60 * 1000 * 1000)

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void acceptor_refuse(const Acceptor *acceptor, int client, const char *why)
{
	Peer peer;

	g_assert(thread_is_main() && client >= 0);
	peer_get(client, &peer);
	audit_peer(&peer, why);
	closer_close_socket(acceptor->pool, &client);
}

static gboolean end_pause(gpointer data)
{
	Acceptor *acceptor = data;

	g_assert(acceptor->listening);
	if (!poller_add(acceptor->poller, &acceptor->listener, EPOLLIN))
		return G_SOURCE_CONTINUE;
	acceptor->pause = 0;
	return G_SOURCE_REMOVE;
}

/* Removed, because epoll tells of a socket that was shut down whatever it is
 * asked for. */
static void pause_listening(Acceptor *acceptor)
{
	g_assert(acceptor->listening && acceptor->pause == 0);
	poller_remove(acceptor->poller, &acceptor->listener);
	acceptor->pause = g_timeout_add(PAUSE_MS, end_pause, acceptor);
}

static int accept_client(Acceptor *acceptor)
{
	return accept4(acceptor->listener.fd, NULL, NULL, SOCK_CLOEXEC);
}

/* The descriptor table is full: without a free descriptor a client cannot even
 * be turned away, and would keep the listening socket readable for ever. */
static void accept_with_spare(Acceptor *acceptor)
{
	int client;

	fd_clear(&acceptor->spare);
	client = accept_client(acceptor);
	if (client >= 0)
		acceptor_refuse(acceptor, client,
				"was turned away: no file descriptor is left");
	pause_listening(acceptor);
}

static void accept_failed(Acceptor *acceptor)
{
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
		return;
	case EMFILE:
	case ENFILE:
		accept_with_spare(acceptor);
		return;
	default:
		if (rate_limit_admit(&acceptor->errors, g_get_monotonic_time()))
			log_message(LOG_LEVEL_ERROR,
				    "cannot accept a client: %m");
		pause_listening(acceptor);
	}
}

static void acceptor_ready(Watch *watch, uint32_t events)
{
	Acceptor *acceptor = container_of(watch, Acceptor, listener);
	int client;

	g_assert(acceptor->listening && acceptor->pause == 0);
	if (acceptor->spare < 0)
		acceptor->spare = open_spare();
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		client = accept_client(acceptor);
		if (client < 0) {
			/* Shut down: a blocking accept() would say so. */
			if (errno == EAGAIN && events & EPOLLHUP)
				errno = EINVAL;
			accept_failed(acceptor);
			return;
		}
		acceptor->admit(client, acceptor->data);
	}
}

bool acceptor_start(Acceptor *acceptor, Poller *poller, ThreadPool *pool,
		    int listener, GError **error)
{
	g_assert(thread_is_main() && acceptor->admit && !acceptor->listening);
	acceptor->poller = poller;
	acceptor->pool = pool;
	acceptor->listener =
		(Watch) { .fd = listener, .ready = acceptor_ready };
	acceptor->errors =
		(RateLimit) { .interval_us = ERROR_INTERVAL_US, .burst = 1 };
	acceptor->spare = open_spare();
	acceptor->listening = poller_add(poller, &acceptor->listener, EPOLLIN);
	if (!acceptor->listening)
		error_set_errno(error, "cannot watch the listening socket");
	return acceptor->listening;
}

void acceptor_stop(Acceptor *acceptor)
{
	g_clear_handle_id(&acceptor->pause, g_source_remove);
	fd_clear(&acceptor->spare);
	if (!acceptor->listening)
		return;
	acceptor->listening = false;
	poller_remove(acceptor->poller, &acceptor->listener);
	closer_close_listener(acceptor->pool, &acceptor->listener.fd);
}
