/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's side of a session. The hard rule: nothing here blocks, whatever
 * the client sent along, but for the one wait that a thread asks for.
 */
#include "conversation/channel.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/thread.h"
#include "device/backend.h"
#include "threads/closer.h"
#include "threads/fd-budget.h"

/* A request has two parts, and a step of its own when it is whole; who sends it
 * in smaller pieces is left to the main loop. */
#define STEPS_MAX 4

/* Else recvmsg() would drop a byte sent with MSG_OOB, and close the descriptors
 * that came with it, which may block. */
static void take_urgent_bytes_in_line(int socket)
{
	int yes = 1;

	setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &yes, sizeof(yes));
}

void channel_init(Channel *channel, int socket, ThreadPool *pool)
{
	struct timeval patience = { .tv_usec = CHANNEL_PATIENCE_US };

	g_assert(socket >= 0 && pool);
	channel->socket = socket;
	channel->pool = pool;
	channel->proven = false;
	session_init(&channel->session);
	peer_get(socket, &channel->peer);
	setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	take_urgent_bytes_in_line(socket);
}

/* Hands the descriptors of one message to the session, or disposes of them. */
static void take_descriptors(Channel *channel, int *fds, size_t count)
{
	size_t taken = session_take_descriptors(&channel->session, fds, count);

	channel->proven &= taken == count;
	for (size_t i = taken; i < count; i++)
		closer_close(channel->pool, &fds[i]);
}

static void take_control(Channel *channel, struct msghdr *message)
{
	int fds[FD_BUDGET_PER_MESSAGE];
	struct cmsghdr *header;
	size_t count;

	for (header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET ||
		    header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		g_assert(count <= G_N_ELEMENTS(fds));
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
		take_descriptors(channel, fds, count);
	}
	if (message->msg_flags & MSG_CTRUNC)
		session_descriptors_lost(&channel->session);
}

bool channel_receive(Channel *channel, uint8_t *bytes, size_t size, int flags)
{
	union {
		char bytes[CMSG_SPACE(FD_BUDGET_PER_MESSAGE * sizeof(int))];
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

	/* Only a thread that may block waits. */
	g_assert(flags & MSG_DONTWAIT || !thread_is_main());
	g_assert(channel->socket >= 0 && size > 0);
	n = recvmsg(channel->socket, &message, MSG_CMSG_CLOEXEC | flags);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		session_eof(&channel->session);
		return true;
	}
	take_control(channel, &message);
	session_advance(&channel->session, (size_t)n);
	return true;
}

bool channel_transmit(Channel *channel, const uint8_t *bytes, size_t size)
{
	ssize_t n =
		send(channel->socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		session_eof(&channel->session);
	else
		session_advance(&channel->session, (size_t)n);
	return true;
}

Command *channel_take_command(Channel *channel)
{
	Command *command = session_steal_command(&channel->session);

	g_assert(command->fd >= 0 && command->arrival_us == 0);
	command->peer = channel->peer;
	command->arrival_us = g_get_monotonic_time();
	return command;
}

/* One step. CHANNEL_SILENCE: and the next one may follow. */
static ChannelNews next_step(Channel *channel, int flags, bool *ret_received)
{
	uint8_t *bytes;
	size_t size;

	switch (session_wants(&channel->session, &bytes, &size)) {
	case SESSION_WANTS_READ:
		*ret_received = channel_receive(channel, bytes, size, flags);
		return *ret_received && !channel->proven ? CHANNEL_OTHER
							 : CHANNEL_SILENCE;
	case SESSION_WANTS_ANSWER:
		return backend_select(channel->session.command)
			       ? CHANNEL_COMMAND
			       : CHANNEL_OTHER;
	default:
		return CHANNEL_OTHER;
	}
}

ChannelNews channel_next(Channel *channel, Command *answered, bool wait,
			 Command **ret_command)
{
	ChannelNews news = CHANNEL_SILENCE;
	bool received = true;

	g_assert(!thread_is_main());
	/* The reply is out, so that the session comes to the next request. */
	if (answered) {
		g_assert(answered->sent ==
			 WIRE_REPLY_SIZE + answered->reply.size);
		session_answer(&channel->session, answered);
	}
	for (int i = 0; i < STEPS_MAX && received && news == CHANNEL_SILENCE;
	     i++)
		news = next_step(channel, wait ? 0 : MSG_DONTWAIT, &received);
	if (news == CHANNEL_COMMAND)
		*ret_command = channel_take_command(channel);
	if (news == CHANNEL_SILENCE && (wait || received))
		return CHANNEL_OTHER;
	return news;
}

void channel_shut_out(Channel *channel)
{
	shutdown(channel->socket, SHUT_RD);
}
