/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation with the helper: who is there, what may be answered.
 */
#include "connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "scsi/scsi.h"
#include "transfer.h"

static bool is_socket(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 || S_ISSOCK(status.st_mode);
}

/* connect() says the same of a file that is no socket and of a socket that
 * nobody serves. */
static bool fail_refused(const ClientConnection *connection, GError **error)
{
	if (!is_socket(connection->path))
		return transfer_fail(connection, EXIT_STATUS_FILE, error,
				     "is not a socket; give the path of "
				     "qemu-pr-helper's socket (--socket)");
	return transfer_fail(connection, EXIT_STATUS_FILE, error,
			     "connection refused: no process listens there; "
			     "start qemu-pr-helper again, or its unit: "
			     "'systemctl restart qemu-pr-helper.socket'");
}

static bool fail_connect(const ClientConnection *connection, GError **error)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return transfer_fail(
			connection, EXIT_STATUS_FILE, error,
			"no such socket: is qemu-pr-helper running, and "
			"does it listen at this path (--socket)?");
	case ECONNREFUSED:
		return fail_refused(connection, error);
	case EACCES:
	case EPERM:
		return transfer_fail(
			connection, EXIT_STATUS_FILE, error,
			"permission denied; run this as a user who may "
			"write to the socket");
	case EPROTOTYPE:
		return transfer_fail(connection, EXIT_STATUS_FILE, error,
				     "not a stream socket, so this is not "
				     "qemu-pr-helper's");
	case EAGAIN:
		return transfer_fail_timeout(connection, STAGE_HANDSHAKE,
					     error);
	default:
		return transfer_fail(connection, EXIT_STATUS_FILE, error,
				     "cannot connect: %s", g_strerror(errno));
	}
}

/* Before connect(), so that the greeting has it for certain. Where it fails,
 * the helper stays unknown, and everything else works. */
static void ask_for_sender(const ClientConnection *connection)
{
	const int on = 1;

	setsockopt(connection->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

static bool connect_socket(const ClientConnection *connection, GError **error)
{
	UnixAddress address;

	return (unix_address_of_path(connection->path, &address) &&
		unix_socket_connect(connection->fd, &address,
				    connection->deadline)) ||
	       fail_connect(connection, error);
}

static bool shake_hands(ClientConnection *connection, GError **error)
{
	uint8_t word[WIRE_FEATURES_SIZE];
	struct ucred sender;
	uint32_t unknown;

	if (!transfer_receive_sender(connection, STAGE_HANDSHAKE, &sender,
				     error))
		return false;
	connection->helper_pid = sender.pid;
	connection->helper_uid = sender.uid;
	if (!transfer_receive(connection, word, sizeof(word), STAGE_HANDSHAKE,
			      error))
		return false;
	/* No feature is defined, so this is some other program, or a protocol
	 * of the future: either way it should not be given a disk. */
	unknown = be32_get(word) & ~WIRE_FEATURES_SUPPORTED;
	if (unknown)
		return transfer_fail(
			connection, EXIT_STATUS_MALFORMED, error,
			"offers unknown features (0x%08x): is this "
			"qemu-pr-helper's socket?",
			unknown);
	be32_put(word, WIRE_FEATURES_SUPPORTED);
	return transfer_send(connection, word, sizeof(word), -1,
			     STAGE_HANDSHAKE, error);
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
		return transfer_fail(&connection, EXIT_STATUS_OTHER, error,
				     "cannot create a socket: %s",
				     g_strerror(errno));
	ask_for_sender(&connection);
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
		return transfer_fail(
			connection, EXIT_STATUS_MALFORMED, error,
			"breaks the protocol: 0x%x is not a SCSI status; is "
			"this qemu-pr-helper's socket?",
			reply->status);
	if (reply->size > limit)
		return transfer_fail(
			connection, EXIT_STATUS_MALFORMED, error,
			"breaks the protocol: the size of its data is %u where "
			"at most %u is allowed; is this qemu-pr-helper's "
			"socket?",
			reply->size, limit);
	return true;
}

/* Bytes behind a reply mean that its size was a lie. */
static bool check_silence(const ClientConnection *connection, GError **error)
{
	uint8_t byte;

	if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return true;
	return transfer_fail(
		connection, EXIT_STATUS_MALFORMED, error,
		"breaks the protocol: sends more than its answer; is this "
		"qemu-pr-helper's socket?");
}

static bool receive_reply(const ClientConnection *connection,
			  const ScsiPrCdb *cdb, ClientReply *reply,
			  GError **error)
{
	uint8_t bytes[WIRE_REPLY_SIZE];

	if (!transfer_receive(connection, bytes, sizeof(bytes), STAGE_REPLY,
			      error))
		return false;
	wire_reply_get(bytes, &reply->header);
	return check_reply(connection, &reply->header, cdb, error) &&
	       transfer_receive(connection, reply->payload, reply->header.size,
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
	if (!transfer_send(connection, cdb, WIRE_CDB_SIZE, device,
			   STAGE_SENDING, error))
		return false;
	if (parameters &&
	    !transfer_send(connection, parameters->data, parameters->len, -1,
			   STAGE_SENDING, error))
		return false;
	return receive_reply(connection, &fields, ret_reply, error);
}
