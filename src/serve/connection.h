/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client: moves bytes between its socket and its session, hands complete
 * commands to the worker, and brings the answers back. Main loop only.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "base/poller.h"
#include "device/command.h"
#include "threads/thread-pool.h"
#include "work/worker.h"

/* What a connection works with; borrowed, outlives every connection. */
typedef struct ConnectionHost {
	Poller *poller;
	ThreadPool *pool;
	Worker *worker;
	/* The connection has ended and must be freed, from here or later. */
	void (*ended)(Connection *connection, struct ConnectionHost *host);
	/* Whether the descriptor table has room for those of one more message.
	 * Where it has none the kernel would close them, here and now, and that
	 * may block. `proven`: this client's last command was answered by a
	 * device; others may not add to what waits to be closed when that is
	 * much. */
	bool (*has_room)(struct ConnectionHost *host, bool proven);
	/* Any thread: whether it has room for what threads may read, too, even
	 * if all the clients come that may. */
	bool (*has_room_for_threads)(struct ConnectionHost *host);
} ConnectionHost;

/* Takes the socket, a blocking one. NULL where it cannot be watched; the
 * socket is disposed of then. */
Connection *connection_new(ConnectionHost *host, int socket);

/* Lets go of the socket and of every descriptor without blocking; a command
 * that executes goes on without its client. Accepts NULL. */
void connection_free(Connection *connection);

/* An answered command of this connection; takes it. */
void connection_answer(Connection *connection, Command *command);

/* On a worker's thread that has the connection (WorkerEvents.next). */
ChannelNews connection_next(Connection *connection, Command *answered,
			    bool wait, Command **ret_command);

/* The threads have given the connection back without a command. */
void connection_resume(Connection *connection);

/* To be called at intervals: ends a client that has begun a request, or not
 * read its answer, and done nothing more in a whole interval. It may have gone:
 * whoever sends the descriptor of its own end of the connection is not seen to
 * go. May free the connection. */
void connection_turn(Connection *connection);

/* No more requests: what the client has sent so far is answered, then the
 * connection ends. A client can be shut out only where it is not about to send:
 * it would lose a command whose second half fails. So either while it waits for
 * an answer, which this sees to; or after it has been quiet for some time, to
 * be tried with the other function at short intervals. That one also ends a
 * client that is stuck in a request. Both may free the connection. */
void connection_drain(Connection *connection);
void connection_drain_turn(Connection *connection);

/* For the owner's list of connections; its data is the connection. */
GList *connection_link(Connection *connection);

#endif
