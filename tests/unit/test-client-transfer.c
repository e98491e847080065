/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes in pieces: the kernel of this test moves three at a time, which a real
 * one does only when a socket is full.
 */
#include "client/transfer.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include "testing.h"

#define PIECE 3

static unsigned int with_descriptor;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec run = *message->msg_iov;
	struct msghdr piece = *message;

	run.iov_len = MIN(run.iov_len, PIECE);
	piece.msg_iov = &run;
	with_descriptor += message->msg_control != NULL;
	return syscall(SYS_sendmsg, fd, &piece, flags);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	return syscall(SYS_recvfrom, fd, bytes, MIN(size, PIECE), flags, NULL,
		       NULL);
}

static int other_end;

static ClientConnection connect_pair(void)
{
	int ends[2];

	g_assert_no_errno(socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	other_end = ends[1];
	return (ClientConnection) {
		.fd = ends[0],
		.path = "/the/socket",
		.deadline = g_get_monotonic_time() + PATIENCE_US,
	};
}

static void end(ClientConnection *connection)
{
	fd_clear(&connection->fd);
	fd_clear(&other_end);
}

/* A descriptor that came twice would be a breach of the protocol. */
static void test_send(void)
{
	ClientConnection connection = connect_pair();
	g_autoptr(GError) error = NULL;
	uint8_t bytes[16];

	with_descriptor = 0;
	g_assert_true(transfer_send(&connection, "0123456789abcdef", 16,
				    STDIN_FILENO, STAGE_SENDING, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(with_descriptor, ==, 1);
	for (size_t size = 0; size < sizeof(bytes);) {
		ssize_t n = read(other_end, bytes + size, 16 - size);

		g_assert_cmpint(n, >, 0);
		size += (size_t)n;
	}
	g_assert_cmpmem(bytes, sizeof(bytes), "0123456789abcdef", 16);
	end(&connection);
}

static void test_receive(void)
{
	ClientConnection connection = connect_pair();
	g_autoptr(GError) error = NULL;
	uint8_t bytes[16];

	g_assert_cmpint(write(other_end, "0123456789abcdefX", 17), ==, 17);
	g_assert_true(transfer_receive(&connection, bytes, sizeof(bytes),
				       STAGE_REPLY, &error));
	g_assert_cmpmem(bytes, sizeof(bytes), "0123456789abcdef", 16);
	end(&connection);
}

/* What the user has to think of the command depends on the stage. */
static void test_hang_up(void)
{
	static const struct {
		TransferStage stage;
		ExitStatus status;
		const char *word;
	} cases[] = {
		{ STAGE_HANDSHAKE, EXIT_STATUS_FILE, "handshake" },
		{ STAGE_SENDING, EXIT_STATUS_OTHER, "was not carried out" },
		{ STAGE_REPLY, EXIT_STATUS_OTHER, "is unknown" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ClientConnection connection = connect_pair();
		g_autoptr(GError) error = NULL;
		uint8_t byte;

		fd_clear(&other_end);
		g_assert_false(transfer_receive(&connection, &byte, 1,
						cases[i].stage, &error));
		g_assert_error(error, CLIENT_ERROR, (int)cases[i].status);
		g_assert_nonnull(strstr(error->message, cases[i].word));
		g_assert_true(
			g_str_has_prefix(error->message, "/the/socket: "));
		g_clear_error(&error);
		g_assert_false(transfer_send(&connection, "x", 1, -1,
					     cases[i].stage, &error));
		g_assert_error(error, CLIENT_ERROR, (int)cases[i].status);
		end(&connection);
	}
}

static void test_deadline(void)
{
	ClientConnection connection = connect_pair();
	g_autoptr(GError) error = NULL;
	uint8_t byte;

	connection.deadline = g_get_monotonic_time() - 1;
	g_assert_cmpint(transfer_time_left(&connection), ==, 0);
	g_assert_false(
		transfer_receive(&connection, &byte, 1, STAGE_REPLY, &error));
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_TIMEOUT);
	g_assert_nonnull(strstr(error->message, "unknown"));
	end(&connection);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/transfer/send", test_send);
	g_test_add_func("/client/transfer/receive", test_receive);
	g_test_add_func("/client/transfer/hang-up", test_hang_up);
	g_test_add_func("/client/transfer/deadline", test_deadline);
	return g_test_run();
}
