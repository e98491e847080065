/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client on the main loop. The hard rules: no call here blocks, whatever
 * the client does; and after each reply the loop gets its turn, so that one
 * busy client does not hold up the others.
 */
#include "connection.h"

#include <glib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "audit.h"
#include "base/container.h"
#include "base/thread.h"
#include "base/trace.h"
#include "conversation/channel.h"
#include "device/backend.h"
#include "threads/closer.h"

/* A client whose command comes so soon after its last answer is active, in
 * microseconds: in a crowd a round trip may take as long. */
#define ACTIVE_US ((int64_t)100 * 1000)

/* How many turns of the drain a client gets to finish a request of which
 * nothing more comes. */
#define DRAIN_TURNS 10

struct Connection {
	Watch watch;
	ConnectionHost *host;
	Channel channel;     /* while there is a job, its threads may have it */
	Job *job;            /* the worker's; to be abandoned if we go */
	int64_t answered_us; /* when it got its last answer; as the channel, the
				threads' while there is a job */
	GList link;
	bool draining;
	bool stirred;       /* something was read, written or answered lately */
	unsigned int quiet; /* for so many turns nothing was */
	AuditLimit audit;
};

static void set_events(Connection *connection, uint32_t events)
{
	poller_modify(connection->host->poller, &connection->watch, events);
}

/* Whoever touches the channel here: no thread has it. */
static void assert_is_ours(const Connection *connection)
{
	g_assert(thread_is_main());
	g_assert(!connection->job);
	g_assert(connection->channel.socket == connection->watch.fd);
}

static void end(Connection *connection)
{
	const char *breach = session_breach(&connection->channel.session);

	assert_is_ours(connection);
	if (breach && !connection->draining)
		audit_peer(&connection->channel.peer, breach);
	connection->host->ended(connection, connection->host);
}

/* False: nothing more to read now. */
static bool connection_receive(Connection *connection, uint8_t *bytes,
			       size_t size)
{
	Channel *channel = &connection->channel;

	if (!connection->host->has_room(connection->host, channel->proven)) {
		session_no_room(&channel->session);
		return true;
	}
	if (!channel_receive(channel, bytes, size, MSG_DONTWAIT))
		return false;
	connection->stirred = true;
	return true;
}

/* An answer that needed no device. */
static void answer_refused(Connection *connection, Command *command)
{
	trace(command_refuse, "connection=%p device=%u:%u", (void *)connection,
	      command->major, command->minor);
	closer_close(connection->host->pool, &command->fd);
	audit_command(command, &connection->audit);
	session_answer(&connection->channel.session, command);
}

static void trace_submit(const Command *command)
{
	trace(command_submit, "connection=%p device=%u:%u backend=%s",
	      (void *)command->connection, command->major, command->minor,
	      command->backend->name);
}

/* A client that sends one command soon after the other is active: the device's
 * threads read from it, which saves the way over the main loop. */
static bool is_active(const Connection *connection, const Command *command)
{
	ConnectionHost *host = connection->host;

	return connection->channel.proven &&
	       command->arrival_us - connection->answered_us < ACTIVE_US &&
	       host->has_room_for_threads(host);
}

static void submit(Connection *connection)
{
	Command *command = channel_take_command(&connection->channel);
	bool active = is_active(connection, command);

	/* The client waits for the answer: it is not in the midst of sending,
	 * and will notice before it sends the next request. */
	if (connection->draining)
		channel_shut_out(&connection->channel);
	if (!backend_select(command)) {
		connection->channel.proven = false;
		answer_refused(connection, command);
		return;
	}
	command->connection = connection;
	trace_submit(command);
	/* Of an active client, whom threads read from, the loop hears only,
	 * once, that it went; of another one its next request, which is what
	 * brings this command's answer to the loop. */
	set_events(connection, active ? EPOLLONESHOT : EPOLLIN);
	connection->job = worker_submit(connection->host->worker, command,
					connection->watch.fd, active);
	if (!connection->job)
		answer_refused(connection, command);
}

/* Goes on until the session waits for the client, the device or room in the
 * socket. `readable`: the loop has seen that bytes have come; without that, a
 * read would only cost a system call. May free the connection. */
static void pump(Connection *connection, bool readable)
{
	Session *session = &connection->channel.session;
	uint8_t *bytes;
	size_t size;

	assert_is_ours(connection);
	for (;;) {
		trace(connection_state, "connection=%p state=%s",
		      (void *)connection, session_state_name(session->state));
		switch (session_wants(session, &bytes, &size)) {
		case SESSION_WANTS_READ:
			if (readable &&
			    connection_receive(connection, bytes, size))
				continue;
			session_rest(session);
			set_events(connection, EPOLLIN);
			return;
		case SESSION_WANTS_WRITE:
			readable = false;
			if (channel_transmit(&connection->channel, bytes,
					     size)) {
				connection->stirred = true;
				continue;
			}
			set_events(connection, EPOLLOUT);
			return;
		case SESSION_WANTS_ANSWER:
			submit(connection);
			if (connection->job)
				return;
			continue;
		case SESSION_WANTS_NOTHING:
			end(connection);
			return;
		}
	}
}

static void take_back(Connection *connection)
{
	Command *answered = worker_abandon(connection->host->worker,
					   g_steal_pointer(&connection->job));

	if (answered)
		session_answer(&connection->channel.session, answered);
}

static void connection_ready(Watch *watch, uint32_t events)
{
	Connection *connection = container_of(watch, Connection, watch);

	if (!connection->job) {
		pump(connection, events & (EPOLLIN | EPOLLHUP | EPOLLERR));
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		take_back(connection);
		session_eof(&connection->channel.session);
		end(connection);
	} else {
		/* A request that was sent early: not now, but soon. */
		set_events(connection, 0);
		worker_hurry(connection->host->worker, connection->job);
	}
}

void connection_answer(Connection *connection, Command *command)
{
	trace(command_answer, "connection=%p device=%u:%u status=0x%02x",
	      (void *)connection, command->major, command->minor,
	      command->reply.status);
	g_assert(connection->job && command->connection == connection);
	connection->job = NULL;
	connection->answered_us = command->answered_us;
	connection->stirred = true;
	connection->channel.proven = command->failure == FAILURE_NONE;
	audit_command(command, &connection->audit);
	session_answer(&connection->channel.session, command);
	pump(connection, false);
}

ChannelNews connection_next(Connection *connection, Command *answered,
			    bool wait, Command **ret_command)
{
	ConnectionHost *host;
	ChannelNews news;

	g_assert(connection && !thread_is_main());
	host = connection->host;
	if (answered)
		connection->answered_us = answered->answered_us;
	/* There was room when the client became active. */
	if (!host->has_room_for_threads(host)) {
		if (answered)
			session_answer(&connection->channel.session, answered);
		return CHANNEL_OTHER;
	}
	news = channel_next(&connection->channel, answered, wait, ret_command);
	if (news == CHANNEL_COMMAND) {
		(*ret_command)->connection = connection;
		trace_submit(*ret_command);
	}
	return news;
}

void connection_resume(Connection *connection)
{
	g_assert(connection->job);
	connection->job = NULL;
	connection->stirred = true;
	pump(connection, false);
}

Connection *connection_new(ConnectionHost *host, int socket)
{
	Connection *connection = g_new0(Connection, 1);
	Peer *peer = &connection->channel.peer;

	connection->host = host;
	connection->watch.fd = socket;
	connection->watch.ready = connection_ready;
	connection->link.data = connection;
	channel_init(&connection->channel, socket, host->pool);
	trace(connection_accept, "connection=%p pid=%d uid=%u",
	      (void *)connection, (int)peer->pid, peer->uid);
	/* The first turn of the loop sends the feature word. */
	if (!poller_add(host->poller, &connection->watch, EPOLLOUT)) {
		audit_peer(peer, "cannot be watched by epoll");
		closer_close_socket(host->pool, &socket);
		g_free(connection);
		return NULL;
	}
	return connection;
}

void connection_free(Connection *connection)
{
	ConnectionHost *host;
	Session *session;
	int descriptor;

	if (!connection)
		return;
	host = connection->host;
	session = &connection->channel.session;
	if (connection->job) {
		channel_shut_out(&connection->channel);
		take_back(connection);
	}
	assert_is_ours(connection);
	trace(connection_close, "connection=%p state=%s", (void *)connection,
	      session_state_name(session->state));
	descriptor = session_steal_descriptor(session);
	closer_close(host->pool, &descriptor);
	session_deinit(session);
	audit_limit_clear(&connection->audit);
	poller_remove(host->poller, &connection->watch);
	closer_close_socket(host->pool, &connection->watch.fd);
	g_free(connection);
}

void connection_drain(Connection *connection)
{
	g_assert(thread_is_main() && !connection->draining);
	connection->draining = true;
	connection->stirred = false;
	connection->quiet = 0;
	if (!connection->job)
		pump(connection, true);
}

static bool has_bytes(const Connection *connection)
{
	int size = 0;

	return ioctl(connection->watch.fd, FIONREAD, &size) == 0 && size > 0;
}

/* One more turn: returns how many of them in succession were quiet. With a job
 * it is not the client who is slow. */
static unsigned int count_turn(Connection *connection)
{
	if (connection->job || connection->stirred)
		connection->quiet = 0;
	else
		connection->quiet++;
	connection->stirred = false;
	return connection->quiet;
}

void connection_turn(Connection *connection)
{
	Session *session = &connection->channel.session;

	g_assert(!connection->draining);
	if (count_turn(connection) == 0 || !session_is_busy(session))
		return;
	session_stuck(session);
	end(connection);
}

void connection_drain_turn(Connection *connection)
{
	unsigned int quiet = count_turn(connection);

	g_assert(connection->draining);
	if (quiet == 0)
		return;
	if (!session_is_busy(&connection->channel.session) &&
	    !has_bytes(connection))
		channel_shut_out(&connection->channel);
	else if (quiet >= DRAIN_TURNS)
		end(connection);
}

GList *connection_link(Connection *connection)
{
	return &connection->link;
}
