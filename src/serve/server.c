/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may come in, and how everybody goes. The hard rule: a client that was let
 * in is answered, or told that it is not, within the patience of the drain.
 */
#include "serve/server.h"

#include <glib.h>

#include "acceptor.h"
#include "audit.h"
#include "base/container.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/thread.h"
#include "base/trace.h"
#include "connection.h"
#include "threads/closer.h"
#include "threads/fd-budget.h"

/* With this part of the table waiting to be closed, only clients that have
 * used a device properly may send. */
#define CLOSER_PART 4

/* How long the end waits for sockets to be closed, in milliseconds. A process
 * whose threads hang in the kernel keeps what is still open then. */
#define CLOSER_PATIENCE_MS 500

/* A client that has sent nothing for so long while the server drains is not
 * about to, in milliseconds. */
#define QUIET_MS 100

struct Server {
	ConnectionHost host;
	Acceptor acceptor;
	ServerLimits limits;
	unsigned int receivers; /* threads that may read at a time */
	GQueue clients;         /* of Connection */
	guint turns;            /* a timer; before it drains */
	guint patience;         /* a timer that ends the drain */
	guint quiet;            /* a timer, while it drains */
	void (*drained)(void *data);
	void *drained_data;
};

/* Clients whose sockets are still being closed count: whoever makes closing
 * slow must not get around the limit. */
static bool server_is_full(const Server *server)
{
	return server->clients.length + closer_pending_sockets() >=
	       server->limits.max_clients;
}

/* One message is the main loop's own. */
static unsigned int receivers_for(const ServerLimits *limits)
{
	unsigned int messages =
		fd_budget_messages(limits->descriptors, limits->max_clients);

	return CLAMP(messages, 1, 1 + JOB_RECEIVERS) - 1;
}

/* With so many clients. */
static bool fit(const Server *server, unsigned int clients,
		unsigned int messages)
{
	const Worker *worker = server->host.worker;
	unsigned int others = worker_abandoned(worker) +
			      worker_disowned(worker) + closer_pending();

	return fd_budget_admits(server->limits.descriptors, clients, others,
				messages);
}

static bool has_room(ConnectionHost *host, bool proven)
{
	const Server *server = container_of(host, Server, host);

	if (!proven &&
	    closer_pending() > server->limits.descriptors / CLOSER_PART)
		return false;
	/* Threads read on their own. */
	return fit(server, server->clients.length,
		   1 + MIN(worker_staying(host->worker), server->receivers));
}

static bool has_room_for_threads(ConnectionHost *host)
{
	const Server *server = container_of(host, Server, host);

	return server->receivers > 0 &&
	       fit(server, server->limits.max_clients, 1 + server->receivers);
}

static void server_assert_invariants(const Server *server)
{
	g_assert(thread_is_main());
	g_assert(server->clients.length <= server->limits.max_clients);
	/* Either clients are looked after, or the drain is. */
	g_assert(!server->turns || !server->quiet);
}

static void server_admit(int client, void *data)
{
	Server *server = data;
	Connection *connection;

	g_assert(!server->quiet);
	if (server_is_full(server)) {
		acceptor_refuse(
			&server->acceptor, client,
			server->limits.by_descriptors
				? "is one too many for the limit on open "
				  "files, its connection was closed"
				: "is one too many: --max-clients is reached, "
				  "its connection was closed");
		return;
	}
	connection = connection_new(&server->host, client);
	if (connection)
		g_queue_push_tail_link(&server->clients,
				       connection_link(connection));
	server_assert_invariants(server);
}

static void finish_if_drained(Server *server)
{
	void (*drained)(void *data) = server->drained;

	if (!drained || server->clients.length > 0)
		return;
	server->drained = NULL;
	drained(server->drained_data);
}

static void connection_ended(Connection *connection, ConnectionHost *host)
{
	Server *server = container_of(host, Server, host);

	g_assert(server->clients.length > 0);
	g_queue_unlink(&server->clients, connection_link(connection));
	connection_free(connection);
	finish_if_drained(server);
}

static void command_answered(Command *command, void *data)
{
	(void)data;
	if (command->connection) {
		connection_answer(command->connection, command);
		return;
	}
	audit_command(command, NULL);
	command_free(command);
}

/* On a worker thread. */
static bool server_is_urgent(const Command *command)
{
	return audit_wants(command) || trace_enabled[TRACE_command_answer];
}

static void client_fell_silent(Connection *connection, void *data)
{
	(void)data;
	connection_resume(connection);
}

static void command_returned_late(Command *command, void *data)
{
	(void)data;
	trace(command_late, "device=%u:%u status=0x%02x", command->major,
	      command->minor, command->reply.status);
	audit_late(command);
}

/* Each client, which the function may free. */
static void for_each_client(Server *server,
			    void (*function)(Connection *connection))
{
	GList *link, *next;

	for (link = server->clients.head; link; link = next) {
		next = link->next;
		function(link->data);
	}
}

static gboolean turn(gpointer data)
{
	for_each_client(data, connection_turn);
	return G_SOURCE_CONTINUE;
}

Server *server_new(Poller *poller, int listener, const ServerLimits *limits,
		   GError **error)
{
	static const WorkerEvents events = {
		.is_urgent = server_is_urgent,
		.next = connection_next,
		.answered = command_answered,
		.fell_silent = client_fell_silent,
		.returned_late = command_returned_late,
	};
	Server *server = g_new0(Server, 1);
	ConnectionHost *host = &server->host;

	g_assert(thread_is_main());
	g_assert(limits->max_clients > 0 && limits->command_timeout_us > 0);
	server->limits = *limits;
	server->acceptor = (Acceptor) { .admit = server_admit,
					.data = server,
					.spare = -1 };
	host->ended = connection_ended;
	host->has_room = has_room;
	host->has_room_for_threads = has_room_for_threads;
	host->pool = thread_pool_new(JOB_THREADS_MAX);
	host->poller = poller;
	host->worker = worker_new(host->poller, host->pool,
				  limits->command_timeout_us, &events, error);
	server->receivers = receivers_for(limits);
	if (host->worker)
		worker_limit_receivers(host->worker, server->receivers);
	if (!host->worker || !acceptor_start(&server->acceptor, poller,
					     host->pool, listener, error)) {
		server_free(server);
		return NULL;
	}
	/* A client gets as long for its part as a device for its. */
	server->turns = g_timeout_add(
		(guint)(limits->command_timeout_us / 1000), turn, server);
	return server;
}

static gboolean end_patience(gpointer data)
{
	Server *server = data;
	unsigned int unfinished = worker_outstanding(server->host.worker);
	GList *link;

	server->patience = 0;
	log_message(LOG_LEVEL_WARNING,
		    "stopping with %u %s unfinished; %s told so", unfinished,
		    plural(unfinished, "command", "commands"),
		    plural(unfinished, "its client is", "their clients are"));
	worker_expire_all(server->host.worker);
	while ((link = server->clients.head))
		connection_ended(link->data, &server->host);
	return G_SOURCE_REMOVE;
}

static gboolean drain_turn(gpointer data)
{
	for_each_client(data, connection_drain_turn);
	return G_SOURCE_CONTINUE;
}

void server_drain(Server *server, int64_t patience_us,
		  void (*drained)(void *data), void *data)
{
	trace(server_drain, "clients=%u outstanding=%u", server->clients.length,
	      worker_outstanding(server->host.worker));
	/* Once. */
	g_assert(!server->quiet && drained);
	acceptor_stop(&server->acceptor);
	worker_hurry_all(server->host.worker);
	server->drained = drained;
	server->drained_data = data;
	server->patience = g_timeout_add((guint)(patience_us / 1000),
					 end_patience, server);
	g_clear_handle_id(&server->turns, g_source_remove);
	server->quiet = g_timeout_add(QUIET_MS, drain_turn, server);
	server_assert_invariants(server);
	for_each_client(server, connection_drain);
	finish_if_drained(server);
}

void server_log_state(const Server *server)
{
	unsigned int clients = server->clients.length;
	unsigned int commands = worker_outstanding(server->host.worker);

	log_message(LOG_LEVEL_INFO,
		    "%s %u %s of at most %u; %u %s under way, %u given up on "
		    "and still with their devices",
		    server->patience ? "stopping, with" : "serving", clients,
		    plural(clients, "client", "clients"),
		    server->limits.max_clients, commands,
		    plural(commands, "command", "commands"),
		    worker_disowned(server->host.worker));
}

void server_free(Server *server)
{
	if (!server)
		return;
	acceptor_stop(&server->acceptor);
	g_clear_handle_id(&server->turns, g_source_remove);
	g_clear_handle_id(&server->patience, g_source_remove);
	g_clear_handle_id(&server->quiet, g_source_remove);
	while (server->clients.length > 0)
		connection_free(g_queue_pop_head_link(&server->clients)->data);
	closer_wait(CLOSER_PATIENCE_MS);
	worker_free(server->host.worker);
	g_free(server);
}
