/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O around a session. The hard rules: no call here blocks, whatever the
 * client sent along; and after each reply the loop gets its turn, so that one
 * busy client does not hold up the others.
 */
#include "connection.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "backend.h"
#include "disposal.h"
#include "report.h"
#include "session.h"
#include "trace.h"

struct Connection {
	Watch watch; /* must be first */
	ConnectionHost *host;
	Session session;
	Command *executing; /* the worker's; to be abandoned if we go */
	Peer peer;
	GList link;
	bool draining;
	bool stirred; /* while it drains: something has come lately */
	bool proven;  /* a device has answered its commands, and nothing else
			 that it sent had to be closed */
	ReportLimit reports;
};

static void set_events(Connection *connection, uint32_t events)
{
	poller_modify(connection->host->poller, &connection->watch, events);
}

static void end(Connection *connection)
{
	const char *breach = session_breach(&connection->session);

	if (breach && !connection->draining)
		report_peer(&connection->peer, breach);
	connection->host->ended(connection, connection->host);
}

/* Hands the descriptors of one message to the session, or disposes of them. */
static void take_descriptors(Connection *connection, int *fds, size_t count)
{
	size_t taken =
		session_take_descriptors(&connection->session, fds, count);

	connection->proven &= taken == count;
	for (size_t i = taken; i < count; i++)
		disposal_close(connection->host->lanes, &fds[i]);
}

static void take_control(Connection *connection, struct msghdr *message)
{
	int fds[CONNECTION_DESCRIPTORS_MAX];
	struct cmsghdr *header;
	size_t count;

	for (header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET ||
		    header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
		take_descriptors(connection, fds, count);
	}
	if (message->msg_flags & MSG_CTRUNC)
		session_descriptors_lost(&connection->session);
}

/* False: nothing more to read now. */
static bool receive(Connection *connection, uint8_t *bytes, size_t size)
{
	union {
		char bytes[CMSG_SPACE(CONNECTION_DESCRIPTORS_MAX *
				      sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec run = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &run,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	if (!connection->host->has_room(connection->host, connection->proven)) {
		session_no_room(&connection->session);
		return true;
	}
	n = recvmsg(connection->watch.fd, &message,
		    MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		session_eof(&connection->session);
		return true;
	}
	connection->stirred = true;
	take_control(connection, &message);
	session_advance(&connection->session, (size_t)n);
	return true;
}

/* Each byte that the client sends fails from now on, and it knows that; what it
 * has sent before is still read, up to the end. */
static void shut_out(Connection *connection)
{
	shutdown(connection->watch.fd, SHUT_RD);
}

/* False: the socket is full. */
static bool transmit(Connection *connection, const uint8_t *bytes, size_t size)
{
	ssize_t n = send(connection->watch.fd, bytes, size,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		session_eof(&connection->session);
	else
		session_advance(&connection->session, (size_t)n);
	return true;
}

/* An answer that needed no device. */
static void answer_refused(Connection *connection, Command *command)
{
	trace(command_refuse, "connection=%p device=%u:%u", (void *)connection,
	      command->major, command->minor);
	disposal_close(connection->host->lanes, &command->fd);
	report_command(command, &connection->reports);
	session_answer(&connection->session, command);
}

static void submit(Connection *connection)
{
	Command *command = session_steal_command(&connection->session);

	command->connection = connection;
	command->peer = connection->peer;
	command->arrival = g_get_monotonic_time();
	/* The client waits for the answer: it is not in the midst of sending,
	 * and will notice before it sends the next request. */
	if (connection->draining)
		shut_out(connection);
	if (!backend_select(command)) {
		connection->proven = false;
		answer_refused(connection, command);
		return;
	}
	trace(command_submit, "connection=%p device=%u:%u backend=%s",
	      (void *)connection, command->major, command->minor,
	      command->backend->name);
	connection->executing = command;
	if (!worker_submit(connection->host->worker, command,
			   connection->watch.fd)) {
		connection->executing = NULL;
		answer_refused(connection, command);
	}
}

/* Goes on until the session waits for the client, the device or room in the
 * socket. `readable`: the loop has seen that bytes have come; without that, a
 * read would only cost a system call. May free the connection. */
static void pump(Connection *connection, bool readable)
{
	Session *session = &connection->session;
	uint8_t *bytes;
	size_t size;

	for (;;) {
		trace(connection_state, "connection=%p state=%s",
		      (void *)connection, session_state_name(session->state));
		switch (session_wants(session, &bytes, &size)) {
		case SESSION_WANTS_READ:
			if (readable && receive(connection, bytes, size))
				continue;
			set_events(connection, EPOLLIN);
			return;
		case SESSION_WANTS_WRITE:
			readable = false;
			if (transmit(connection, bytes, size))
				continue;
			set_events(connection, EPOLLOUT);
			return;
		case SESSION_WANTS_ANSWER:
			if (connection->executing)
				return;
			submit(connection);
			continue;
		case SESSION_WANTS_NOTHING:
			end(connection);
			return;
		}
	}
}

static void ready(Watch *watch, uint32_t events)
{
	Connection *connection = (Connection *)watch;

	if (!connection->executing) {
		pump(connection, events & (EPOLLIN | EPOLLHUP | EPOLLERR));
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		session_eof(&connection->session);
		end(connection);
	} else {
		/* A request that was sent early: not now, but soon. */
		set_events(connection, 0);
		worker_hurry(connection->host->worker, connection->executing);
	}
}

void connection_answer(Connection *connection, Command *command)
{
	trace(command_answer, "connection=%p device=%u:%u status=0x%02x",
	      (void *)connection, command->major, command->minor,
	      command->reply.status);
	connection->executing = NULL;
	connection->stirred = true;
	connection->proven = command->from_device;
	report_command(command, &connection->reports);
	session_answer(&connection->session, command);
	pump(connection, false);
}

Connection *connection_new(ConnectionHost *host, int socket)
{
	Connection *connection = g_new0(Connection, 1);

	connection->host = host;
	connection->watch.fd = socket;
	connection->watch.ready = ready;
	connection->link.data = connection;
	session_init(&connection->session);
	peer_get(socket, &connection->peer);
	trace(connection_accept, "connection=%p pid=%d uid=%u",
	      (void *)connection, (int)connection->peer.pid,
	      connection->peer.uid);
	/* The first turn of the loop sends the feature word. */
	if (!poller_add(host->poller, &connection->watch, EPOLLOUT)) {
		report_peer(&connection->peer, "cannot be watched by epoll");
		disposal_close_socket(host->lanes, &socket);
		g_free(connection);
		return NULL;
	}
	return connection;
}

void connection_free(Connection *connection)
{
	ConnectionHost *host;
	int descriptor;

	if (!connection)
		return;
	host = connection->host;
	trace(connection_close, "connection=%p state=%s", (void *)connection,
	      session_state_name(connection->session.state));
	if (connection->executing)
		worker_abandon(host->worker, connection->executing);
	descriptor = session_steal_descriptor(&connection->session);
	disposal_close(host->lanes, &descriptor);
	session_deinit(&connection->session);
	report_limit_clear(&connection->reports);
	poller_remove(host->poller, &connection->watch);
	disposal_close_socket(host->lanes, &connection->watch.fd);
	g_free(connection);
}

void connection_drain(Connection *connection)
{
	connection->draining = true;
	connection->stirred = false;
	if (!connection->executing)
		pump(connection, true);
}

static bool has_bytes(const Connection *connection)
{
	int size = 0;

	return ioctl(connection->watch.fd, FIONREAD, &size) == 0 && size > 0;
}

void connection_shut_out_if_quiet(Connection *connection)
{
	if (!connection->executing && !connection->stirred &&
	    !session_is_busy(&connection->session) && !has_bytes(connection))
		shut_out(connection);
	connection->stirred = false;
}

GList *connection_link(Connection *connection)
{
	return &connection->link;
}
