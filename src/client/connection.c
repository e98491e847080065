/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation with the helper. Every wait is a poll() with what is left
 * of the time; every message names the socket and says what to do.
 */
#include "client/connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bytes.h"
#include "client/exit-status.h"
#include "fd.h"
#include "scsi.h"

/* How far the conversation is: it decides what a failure means. */
typedef enum Stage {
	STAGE_HANDSHAKE,
	STAGE_SENDING,
	STAGE_REPLY,
} Stage;

static bool fail(const ClientConnection *connection, ExitStatus status,
		 GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);

static bool fail(const ClientConnection *connection, ExitStatus status,
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

static bool fail_timeout(const ClientConnection *connection, Stage stage,
			 GError **error)
{
	static const char *const messages[] = {
		[STAGE_HANDSHAKE] =
			"no answer within the time limit: the helper hangs "
			"or is overloaded, see its log",
		[STAGE_SENDING] =
			"the helper did not take the command within the time "
			"limit; the command was not carried out",
		[STAGE_REPLY] =
			"no answer to the command within the time limit; "
			"whether it was carried out is unknown: read the "
			"keys before you try again",
	};

	return fail(connection, EXIT_STATUS_TIMEOUT, error, "%s",
		    messages[stage]);
}

static bool fail_closed(const ClientConnection *connection, Stage stage,
			GError **error)
{
	static const char *const messages[] = {
		[STAGE_HANDSHAKE] =
			"closed before the handshake was complete: has the "
			"helper too many clients? See its log",
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

	return fail(connection,
		    stage == STAGE_HANDSHAKE ? EXIT_STATUS_FILE
					     : EXIT_STATUS_OTHER,
		    error, "%s", messages[stage]);
}

static bool fail_errno(const ClientConnection *connection, Stage stage,
		       GError **error)
{
	if (errno == EPIPE || errno == ECONNRESET)
		return fail_closed(connection, stage, error);
	return fail(connection, EXIT_STATUS_OTHER, error, "%s",
		    g_strerror(errno));
}

/* Whether a call is to be made again, now or after a wait. */
static bool is_transient(void)
{
	return errno == EINTR || errno == EAGAIN;
}

static gint64 microseconds_left(const ClientConnection *connection)
{
	return MAX(0, connection->deadline - g_get_monotonic_time());
}

static bool wait_for(const ClientConnection *connection, short events,
		     Stage stage, GError **error)
{
	struct pollfd pollfd = { .fd = connection->fd, .events = events };
	int ready;

	do {
		gint64 left = microseconds_left(connection);

		/* Rounded up, so that the last wait is not a busy loop. */
		ready = poll(&pollfd, 1, (int)((left + 999) / 1000));
		if (ready == 0 && microseconds_left(connection) == 0)
			return fail_timeout(connection, stage, error);
		if (ready < 0 && errno != EINTR)
			return fail_errno(connection, stage, error);
	} while (ready <= 0);
	return true;
}

static bool receive(const ClientConnection *connection, void *buffer,
		    size_t size, Stage stage, GError **error)
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

/* The first bytes carry the descriptor, if there is one (>= 0). */
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

static bool transmit(const ClientConnection *connection, const void *buffer,
		     size_t size, int device, Stage stage, GError **error)
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

static bool fail_connect(const ClientConnection *connection, GError **error)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return fail(connection, EXIT_STATUS_FILE, error,
			    "no such socket: is qemu-pr-helper running, and "
			    "is this its path? (--socket)");
	case ECONNREFUSED:
		return fail(connection, EXIT_STATUS_FILE, error,
			    "connection refused: no process listens there; "
			    "start qemu-pr-helper again");
	case EACCES:
	case EPERM:
		return fail(connection, EXIT_STATUS_FILE, error,
			    "permission denied: run this as a user who may "
			    "write to the socket");
	case EPROTOTYPE:
		return fail(connection, EXIT_STATUS_FILE, error,
			    "not a stream socket: this is not "
			    "qemu-pr-helper's");
	case EAGAIN:
		return fail_timeout(connection, STAGE_HANDSHAKE, error);
	default:
		return fail(connection, EXIT_STATUS_FILE, error,
			    "cannot connect: %s", g_strerror(errno));
	}
}

/* A full backlog makes connect() wait, as long as a send may take. */
static bool limit_connect(const ClientConnection *connection)
{
	gint64 left = MAX(1, microseconds_left(connection));
	struct timeval limit = { left / G_USEC_PER_SEC, left % G_USEC_PER_SEC };

	return setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
			  sizeof(limit)) == 0;
}

static bool connect_socket(const ClientConnection *connection, GError **error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int result;

	g_strlcpy(address.sun_path, connection->path, sizeof(address.sun_path));
	do {
		if (!limit_connect(connection))
			return fail_connect(connection, error);
		result = connect(connection->fd, (struct sockaddr *)&address,
				 sizeof(address));
	} while (result != 0 && errno == EINTR);
	return result == 0 || fail_connect(connection, error);
}

static bool shake_hands(const ClientConnection *connection, GError **error)
{
	uint8_t word[WIRE_FEATURES_SIZE];
	uint32_t unknown;

	if (!receive(connection, word, sizeof(word), STAGE_HANDSHAKE, error))
		return false;
	/* No feature is defined, so this is some other program, or a protocol
	 * of the future: either way it should not be given a disk. */
	unknown = be32_get(word) & ~WIRE_FEATURES_SUPPORTED;
	if (unknown)
		return fail(connection, EXIT_STATUS_MALFORMED, error,
			    "offers unknown features (0x%08x): is this "
			    "qemu-pr-helper's socket?",
			    unknown);
	be32_put(word, WIRE_FEATURES_SUPPORTED);
	return transmit(connection, word, sizeof(word), -1, STAGE_HANDSHAKE,
			error);
}

bool client_connection_open(ClientConnection *ret_connection, const char *path,
			    guint seconds, GError **error)
{
	ClientConnection connection = {
		.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.path = path,
		.deadline = g_get_monotonic_time() +
			    (gint64)seconds * G_USEC_PER_SEC,
	};

	if (connection.fd < 0)
		return fail(&connection, EXIT_STATUS_OTHER, error,
			    "cannot make a socket: %s", g_strerror(errno));
	if (!connect_socket(&connection, error) ||
	    !shake_hands(&connection, error)) {
		client_connection_close(&connection);
		return false;
	}
	*ret_connection = connection;
	return true;
}

void client_connection_close(ClientConnection *connection)
{
	fd_clear(&connection->fd);
}

/* What a reply to this command may say, before its payload is read. */
static bool check_reply(const ClientConnection *connection,
			const WireReply *reply, const ScsiPrCdb *cdb,
			GError **error)
{
	bool may_have_payload = cdb->opcode == SCSI_PERSISTENT_RESERVE_IN &&
				reply->status == SCSI_GOOD;
	uint32_t limit = may_have_payload ? cdb->length : 0;

	if (reply->status > 0xff)
		return fail(connection, EXIT_STATUS_MALFORMED, error,
			    "breaks the protocol: 0x%x is no SCSI status; is "
			    "this qemu-pr-helper's socket?",
			    reply->status);
	if (reply->size > limit)
		return fail(connection, EXIT_STATUS_MALFORMED, error,
			    "breaks the protocol: answers with %u bytes of "
			    "data where %u are allowed; is this "
			    "qemu-pr-helper's socket?",
			    reply->size, limit);
	return true;
}

/* Bytes behind a reply mean that its size was a lie. */
static bool check_silence(const ClientConnection *connection, GError **error)
{
	uint8_t byte;

	if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return true;
	return fail(connection, EXIT_STATUS_MALFORMED, error,
		    "breaks the protocol: sends more than its answer; is this "
		    "qemu-pr-helper's socket?");
}

static bool receive_reply(const ClientConnection *connection,
			  const ScsiPrCdb *cdb, ClientReply *reply,
			  GError **error)
{
	uint8_t bytes[WIRE_REPLY_SIZE];

	if (!receive(connection, bytes, sizeof(bytes), STAGE_REPLY, error))
		return false;
	wire_reply_get(bytes, &reply->header);
	return check_reply(connection, &reply->header, cdb, error) &&
	       receive(connection, reply->payload, reply->header.size,
		       STAGE_REPLY, error) &&
	       check_silence(connection, error);
}

bool client_connection_command(ClientConnection *connection,
			       const uint8_t cdb[WIRE_CDB_SIZE], int device,
			       const GByteArray *parameters,
			       ClientReply *ret_reply, GError **error)
{
	ScsiPrCdb fields = { 0 };
	bool is_pr = scsi_pr_cdb_get(cdb, &fields);

	g_assert(is_pr && fields.length <= WIRE_DATA_MAX);
	if (!transmit(connection, cdb, WIRE_CDB_SIZE, device, STAGE_SENDING,
		      error))
		return false;
	if (parameters && !transmit(connection, parameters->data,
				    parameters->len, -1, STAGE_SENDING, error))
		return false;
	return receive_reply(connection, &fields, ret_reply, error);
}
