/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening socket: every client that comes, whatever the descriptor table
 * is like. Main loop only.
 */
#ifndef ACCEPTOR_H
#define ACCEPTOR_H

#include <glib.h>
#include <stdbool.h>

#include "base/poller.h"
#include "base/rate-limit.h"
#include "threads/thread-pool.h"

typedef struct Acceptor {
	/* A client has come; takes its socket. */
	void (*admit)(int client, void *data);
	void *data;

	/* Private. */
	Poller *poller;
	ThreadPool *pool;
	Watch listener;
	bool listening;
	int spare;   /* given up to accept, and turn away, when full */
	guint pause; /* a timer that ends a pause */
	RateLimit errors;
} Acceptor;

/* Begins to accept. Borrows the poller and the pool, and takes the listening
 * socket, on success. False with *error set on failure; acceptor_stop() is due
 * all the same. */
bool acceptor_start(Acceptor *acceptor, Poller *poller, ThreadPool *pool,
		    int listener, GError **error);

/* Closes the listening socket. May be called again. */
void acceptor_stop(Acceptor *acceptor);

/* Closes a client's connection without serving it, and reports that: `why`
 * completes "client pid ... ". */
void acceptor_refuse(const Acceptor *acceptor, int client, const char *why);

#endif
