/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O around one session: the client is the other end of a socket pair, the
 * host is the test. What a device answers goes through the whole daemon's
 * tests, as do clients that block.
 */
#include "serve/connection.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "capture.h"
#include "looping.h"
#include "threads/closer.h"

static ConnectionHost host;
static Connection *connection;
static unsigned int ended;
static bool room;
static int client;
static Capture logged;

static void on_ended(Connection *which, ConnectionHost *whose)
{
	g_assert_true(which == connection && whose == &host);
	ended++;
	connection_free(g_steal_pointer(&connection));
}

static bool has_room(ConnectionHost *whose, bool proven)
{
	g_assert_true(whose == &host);
	g_assert_false(proven);
	return room;
}

static bool has_room_for_threads(ConnectionHost *whose)
{
	g_assert_true(whose == &host);
	return room;
}

static bool is_urgent(const Command *command)
{
	(void)command;
	return true;
}

static void start(void)
{
	static const WorkerEvents events = { .is_urgent = is_urgent };
	g_autoptr(GError) error = NULL;
	int ends[2];

	logged = capture_log();
	ended = 0;
	room = true;
	host.poller = poller_new(&error);
	host.pool = thread_pool_new(20);
	host.worker =
		worker_new(host.poller, host.pool, 1000000, &events, &error);
	host.ended = on_ended;
	host.has_room = has_room;
	host.has_room_for_threads = has_room_for_threads;
	g_assert_no_error(error);
	g_assert_no_errno(socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	client = ends[0];
	connection = connection_new(&host, ends[1]);
	g_assert_nonnull(connection);
	g_assert_true(connection_link(connection)->data == connection);
}

static void end(void)
{
	connection_free(g_steal_pointer(&connection));
	wait_until(closer_pending() == 0);
	worker_free(host.worker);
	poller_free(host.poller);
	close(client);
	capture_end(&logged);
}

/* Bytes of the connection's, once there are so many; or fewer, at its end. */
static size_t hear(uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = recv(client, bytes + done, size - done, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			done += (size_t)n;
		else
			g_main_context_iteration(NULL, FALSE);
	}
	return done;
}

/* With a descriptor, the receiver's to close; `fd` -1: without. */
static void say(const void *bytes, size_t size, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec run = { (void *)bytes, size };
	struct msghdr message = { .msg_iov = &run, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	g_assert_cmpint(sendmsg(client, &message, 0), ==, (ssize_t)size);
	fd_clear(&fd);
}

static void shake_hands(void)
{
	uint8_t bytes[4] = { 0xff };

	g_assert_cmpuint(hear(bytes, 4), ==, 4);
	g_assert_cmphex(be32_get(bytes), ==, 0);
	say(bytes, 4, -1);
	run_pending();
}

static const uint8_t read_keys[WIRE_CDB_SIZE] = {
	0x5e, 0, 0, 0, 0, 0, 0, 0, 8
};

static void test_requests(void)
{
	uint8_t bytes[WIRE_REPLY_SIZE];
	WireReply reply;

	start();
	shake_hands();
	for (int i = 0; i < 3; i++) {
		int witness, device = descriptor_new(&witness);

		say(read_keys, sizeof(read_keys), device);
		g_assert_cmpuint(hear(bytes, sizeof(bytes)), ==, sizeof(bytes));
		wire_reply_get(bytes, &reply);
		g_assert_cmphex(reply.status, ==, SCSI_CHECK_CONDITION);
		g_assert_cmpuint(reply.size, ==, 0);
		assert_sense(reply.sense, sizeof(reply.sense),
			     failure_sense(FAILURE_NO_SCSI_DEVICE));
		wait_until(descriptor_is_closed(witness));
		close(witness);
	}
	g_assert_cmpuint(ended, ==, 0);
	g_assert_cmpuint(captured_times(&logged, "the descriptor is a pipe"),
			 ==, 3);
	end();
}

/* All at once, before the helper has said a word. */
static void test_early_requests(void)
{
	uint8_t bytes[WIRE_FEATURES_SIZE + 3 * WIRE_REPLY_SIZE];

	start();
	say("\0\0\0\0", WIRE_FEATURES_SIZE, -1);
	for (int i = 0; i < 3; i++)
		say(read_keys, sizeof(read_keys), open("/dev/null", O_RDONLY));
	g_assert_cmpuint(hear(bytes, sizeof(bytes)), ==, sizeof(bytes));
	g_assert_cmpuint(ended, ==, 0);
	end();
}

static void test_breach(void)
{
	static const uint8_t inquiry[WIRE_CDB_SIZE] = { 0x12 };
	uint8_t byte;
	int witness, device = descriptor_new(&witness);

	start();
	shake_hands();
	say(inquiry, sizeof(inquiry), device);
	run_pending();
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpuint(captured_times(&logged, "not PERSISTENT RESERVE"), ==,
			 1);
	g_assert_cmpuint(hear(&byte, 1), ==, 0);
	wait_until(descriptor_is_closed(witness));
	close(witness);
	end();
}

/* The kernel would close descriptors for which there is no room. */
static void test_no_room(void)
{
	int witness, device = descriptor_new(&witness);

	start();
	shake_hands();
	room = false;
	say(read_keys, sizeof(read_keys), device);
	run_pending();
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpuint(captured_times(&logged, "was cut off"), ==, 1);
	g_assert_cmpuint(captured_times(&logged, "READ KEYS"), ==, 0);
	wait_until(descriptor_is_closed(witness));
	close(witness);
	end();
}

static gpointer read_on_thread(gpointer data)
{
	Command *command;

	thread_mark_worker();
	g_assert_cmpint(connection_next(connection, NULL, false, &command), ==,
			CHANNEL_OTHER);
	return data;
}

/* Nor does a thread read them, however active the client was. */
static void test_no_room_for_threads(void)
{
	int unread = 0;

	start();
	shake_hands();
	room = false;
	say(read_keys, sizeof(read_keys), open("/dev/null", O_RDONLY));
	g_thread_join(g_thread_new("reader", read_on_thread, NULL));
	g_assert_no_errno(ioctl(client, SIOCOUTQ, &unread));
	g_assert_cmpint(unread, >, 0);
	room = true;
	end();
}

static void test_client_goes(void)
{
	start();
	shake_hands();
	shutdown(client, SHUT_RDWR);
	run_pending();
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpuint(captured_times(&logged, "client pid"), ==, 0);
	end();
}

static void test_client_goes_in_the_midst(void)
{
	int witness, device = descriptor_new(&witness);

	start();
	shake_hands();
	say(read_keys, 5, device);
	shutdown(client, SHUT_RDWR);
	run_pending();
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpuint(captured_times(&logged, "in the middle of a request"),
			 ==, 1);
	wait_until(descriptor_is_closed(witness));
	close(witness);
	end();
}

/* What came with half a request is let go of, and the socket. */
static void test_free(void)
{
	int witness, device = descriptor_new(&witness);
	uint8_t byte;

	start();
	shake_hands();
	say(read_keys, 5, device);
	run_pending();
	g_assert_false(descriptor_is_closed(witness));
	connection_free(g_steal_pointer(&connection));
	wait_until(descriptor_is_closed(witness));
	g_assert_cmpuint(hear(&byte, 1), ==, 0);
	g_assert_cmpuint(ended, ==, 0);
	close(witness);
	end();
}

/* While a request is under way nobody is shut out; afterwards it is answered,
 * and the next one fails at the client. */
static void test_drain(void)
{
	uint8_t bytes[WIRE_REPLY_SIZE];

	start();
	shake_hands();
	say(read_keys, 5, open("/dev/null", O_RDONLY));
	connection_drain(connection);
	for (int i = 0; i < 3; i++) {
		run_pending();
		connection_drain_turn(connection);
	}
	g_assert_cmpuint(ended, ==, 0);
	say(read_keys + 5, sizeof(read_keys) - 5, -1);
	g_assert_cmpuint(hear(bytes, sizeof(bytes)), ==, sizeof(bytes));
	run_pending();
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpint(send(client, bytes, 1, MSG_NOSIGNAL), ==, -1);
	end();
}

static void test_drain_quiet(void)
{
	start();
	shake_hands();
	connection_drain(connection);
	run_pending();
	g_assert_cmpuint(ended, ==, 0);
	connection_drain_turn(connection);
	run_pending();
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpuint(captured_times(&logged, "client pid"), ==, 0);
	end();
}

/* In its request, not in between, and not while it goes on. */
static void test_stuck(void)
{
	start();
	shake_hands();
	for (int i = 0; i < 3; i++) {
		run_pending();
		connection_turn(connection);
	}
	g_assert_cmpuint(ended, ==, 0);
	for (size_t i = 0; i < 3; i++) {
		say(read_keys + i, 1, -1);
		run_pending();
		connection_turn(connection);
	}
	g_assert_cmpuint(ended, ==, 0);
	connection_turn(connection);
	g_assert_cmpuint(ended, ==, 1);
	g_assert_cmpuint(captured_times(&logged, "a request unfinished"), ==,
			 1);
	end();
}

/* However long it was quiet before: what it has sent by now is answered. */
static void test_drain_after_quiet(void)
{
	uint8_t bytes[WIRE_REPLY_SIZE];

	start();
	shake_hands();
	run_pending();
	for (int i = 0; i < 30; i++)
		connection_turn(connection);
	connection_drain(connection);
	say(read_keys, sizeof(read_keys), open("/dev/null", O_RDONLY));
	connection_drain_turn(connection);
	g_assert_cmpuint(ended, ==, 0);
	g_assert_cmpuint(hear(bytes, sizeof(bytes)), ==, sizeof(bytes));
	end();
}

static void test_drain_stuck(void)
{
	unsigned int turns = 0;

	start();
	shake_hands();
	say(read_keys, 5, -1);
	connection_drain(connection);
	run_pending();
	for (; ended == 0; turns++)
		connection_drain_turn(connection);
	g_assert_cmpuint(turns, ==, 11);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/connection/requests", test_requests);
	g_test_add_func("/connection/early-requests", test_early_requests);
	g_test_add_func("/connection/breach", test_breach);
	g_test_add_func("/connection/no-room", test_no_room);
	g_test_add_func("/connection/no-room/for-threads",
			test_no_room_for_threads);
	g_test_add_func("/connection/client-goes", test_client_goes);
	g_test_add_func("/connection/client-goes/in-the-midst",
			test_client_goes_in_the_midst);
	g_test_add_func("/connection/free", test_free);
	g_test_add_func("/connection/drain", test_drain);
	g_test_add_func("/connection/drain/quiet", test_drain_quiet);
	g_test_add_func("/connection/drain/after-quiet",
			test_drain_after_quiet);
	g_test_add_func("/connection/drain/stuck", test_drain_stuck);
	g_test_add_func("/connection/stuck", test_stuck);
	return g_test_run();
}
