/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client: moves bytes between its socket and its session, hands complete
 * commands to the worker, and brings the answers back. Main loop only.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "command.h"
#include "lanes.h"
#include "poller.h"
#include "worker.h"

/* The kernel's SCM_MAX_FD: with room for fewer descriptors, recvmsg() itself
 * would close the rest, which may block. */
#define CONNECTION_DESCRIPTORS_MAX 253

/* What a connection works with; borrowed, outlives every connection. */
typedef struct ConnectionHost {
	Poller *poller;
	Lanes *lanes;
	Worker *worker;
	/* The connection has ended and must be freed, from here or later. */
	void (*ended)(Connection *connection, struct ConnectionHost *host);
	/* Whether the descriptor table has room for those of one more message.
	 * Where it has none the kernel would close them, here and now, and that
	 * may block. `suspect`: this client has had descriptors closed that it
	 * should not have sent; it may not fill the table with those. */
	bool (*has_room)(struct ConnectionHost *host, bool suspect);
} ConnectionHost;

/* Takes the socket, a non-blocking one. NULL where it cannot be watched; the
 * socket is disposed of then. */
Connection *connection_new(ConnectionHost *host, int socket);

/* Lets go of the socket and of every descriptor without blocking; a command
 * that executes goes on without its client. Accepts NULL. */
void connection_free(Connection *connection);

/* An answered command of this connection; takes it. */
void connection_answer(Connection *connection, Command *command);

/* No more requests: what the client has sent so far is answered, then the
 * connection ends. */
void connection_drain(Connection *connection);

/* For the owner's list of connections; its data is the connection. */
GList *connection_link(Connection *connection);

#endif
