/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes to the helper and from it. Every wait is a poll() with what is left of
 * the time; every message names the socket and says what to do.
 */
#include "transfer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "helper.h"

bool transfer_fail(const ClientConnection *connection, ExitStatus status,
		   GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error(error, CLIENT_ERROR, status, "%s: %s", connection->path,
		    message);
	return false;
}

/* Nobody has answered: who can say why? */
static const char *handshake_timeout(const ClientConnection *connection)
{
	switch (helper_manager(connection)) {
	case HELPER_MANAGER_SYSTEM:
		return "no answer within the time limit: systemd holds this "
		       "socket, and the service behind it does not come up, or "
		       "hangs; see 'systemctl status qemu-pr-helper.service' "
		       "('systemctl list-sockets' has its name if it is another)";
	case HELPER_MANAGER_USER:
		return "no answer within the time limit: a user's systemd holds "
		       "this socket, and the service behind it does not come "
		       "up, or hangs; see 'systemctl --user status "
		       "qemu-pr-helper.service' ('systemctl --user "
		       "list-sockets' has its name if it is another)";
	default:
		return "no answer within the time limit: the helper hangs or "
		       "is overloaded; see its log";
	}
}

bool transfer_fail_timeout(const ClientConnection *connection,
			   TransferStage stage, GError **error)
{
	static const char *const messages[] = {
		[STAGE_SENDING] =
			"the helper did not take the command within the time "
			"limit; the command was not carried out",
		[STAGE_REPLY] =
			"no answer to the command within the time limit; "
			"whether it was carried out is unknown: read the "
			"keys before you try again",
	};

	return transfer_fail(connection, EXIT_STATUS_TIMEOUT, error, "%s",
			     stage == STAGE_HANDSHAKE
				     ? handshake_timeout(connection)
				     : messages[stage]);
}

static bool fail_closed(const ClientConnection *connection, TransferStage stage,
			GError **error)
{
	static const char *const messages[] = {
		[STAGE_HANDSHAKE] =
			"closed before the handshake was complete: the helper "
			"has ended, or has as many clients as it may; see its "
			"log",
		[STAGE_SENDING] =
			"the helper closed the connection while the command "
			"was sent; the command was not carried out: see the "
			"helper's log",
		[STAGE_REPLY] =
			"the helper closed the connection instead of "
			"answering; whether the command was carried out is "
			"unknown: see the helper's log, and read the keys "
			"before you try again",
	};

	return transfer_fail(connection,
			     stage == STAGE_HANDSHAKE ? EXIT_STATUS_FILE
						      : EXIT_STATUS_OTHER,
			     error, "%s", messages[stage]);
}

static bool fail_errno(const ClientConnection *connection, TransferStage stage,
		       GError **error)
{
	if (errno == EPIPE || errno == ECONNRESET)
		return fail_closed(connection, stage, error);
	return transfer_fail(connection, EXIT_STATUS_OTHER, error,
			     "cannot talk to the helper: %s",
			     g_strerror(errno));
}

/* Whether a call is to be made again, now or after a wait. */
static bool is_transient(void)
{
	return errno == EINTR || errno == EAGAIN;
}

gint64 transfer_time_left(const ClientConnection *connection)
{
	return MAX(0, connection->deadline - g_get_monotonic_time());
}

static bool wait_for(const ClientConnection *connection, short events,
		     TransferStage stage, GError **error)
{
	struct pollfd pollfd = { .fd = connection->fd, .events = events };
	int ready;

	do {
		gint64 left = transfer_time_left(connection);

		/* Rounded up, so that the last wait is not a busy loop. */
		ready = poll(&pollfd, 1, (int)((left + 999) / 1000));
		if (ready == 0 && transfer_time_left(connection) == 0)
			return transfer_fail_timeout(connection, stage, error);
		if (ready < 0 && errno != EINTR)
			return fail_errno(connection, stage, error);
	} while (ready <= 0);
	return true;
}

bool transfer_receive(const ClientConnection *connection, void *buffer,
		      size_t size, TransferStage stage, GError **error)
{
	uint8_t *p = buffer;
	ssize_t count;

	while (size > 0) {
		if (!wait_for(connection, POLLIN, stage, error))
			return false;
		/* No control buffer: descriptors are dropped. */
		count = recv(connection->fd, p, size, MSG_DONTWAIT);
		if (count == 0)
			return fail_closed(connection, stage, error);
		if (count < 0 && !is_transient())
			return fail_errno(connection, stage, error);
		if (count > 0) {
			p += count;
			size -= (size_t)count;
		}
	}
	return true;
}

static ssize_t peek_sender(int fd, struct ucred *ret_sender)
{
	/* No room for descriptors, so none is made. */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t count = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

	if (count > 0 && message.msg_controllen >= sizeof(control.header) &&
	    control.header.cmsg_level == SOL_SOCKET &&
	    control.header.cmsg_type == SCM_CREDENTIALS)
		memcpy(ret_sender, CMSG_DATA(&control.header),
		       sizeof(*ret_sender));
	return count;
}

bool transfer_receive_sender(const ClientConnection *connection,
			     TransferStage stage, struct ucred *ret_sender,
			     GError **error)
{
	struct ucred sender = { 0, (uid_t)-1, (gid_t)-1 };
	ssize_t count;

	do {
		if (!wait_for(connection, POLLIN, stage, error))
			return false;
		count = peek_sender(connection->fd, &sender);
	} while (count < 0 && is_transient());
	if (count < 0)
		return fail_errno(connection, stage, error);
	*ret_sender = sender;
	return true;
}

static ssize_t send_some(int fd, const uint8_t *bytes, size_t size, int device)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (device >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &device, sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool transfer_send(const ClientConnection *connection, const void *buffer,
		   size_t size, int device, TransferStage stage, GError **error)
{
	const uint8_t *p = buffer;
	ssize_t count;

	while (size > 0) {
		if (!wait_for(connection, POLLOUT, stage, error))
			return false;
		count = send_some(connection->fd, p, size, device);
		if (count < 0 && !is_transient())
			return fail_errno(connection, stage, error);
		if (count > 0) {
			p += count;
			size -= (size_t)count;
			device = -1;
		}
	}
	return true;
}
