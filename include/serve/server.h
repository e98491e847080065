/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening socket and the clients that came through it: admission, limits
 * and the orderly end. Main loop only.
 */
#ifndef SERVER_H
#define SERVER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/poller.h"

typedef struct Server Server;

typedef struct ServerLimits {
	unsigned int max_clients;
	bool by_descriptors;        /* these, and not the user, limit it */
	unsigned int descriptors;   /* that can be open */
	int64_t command_timeout_us; /* microseconds */
} ServerLimits;

/* Borrows the poller, and takes the listening socket, on success. NULL with
 * *error set on failure. Starts no thread before the first client does. */
Server *server_new(Poller *poller, int listener, const ServerLimits *limits,
		   GError **error);

/* Stops listening and begins to drain: each client's requests up to now are
 * answered, within `patience_us` microseconds. `drained` is called once, from
 * the main loop, when no client is left. */
void server_drain(Server *server, int64_t patience_us,
		  void (*drained)(void *data), void *data);

/* One message: how many clients and commands there are. */
void server_log_state(const Server *server);

/* Lets go of all descriptors, and waits a moment for that to be done. Accepts
 * NULL. */
void server_free(Server *server);

#endif
