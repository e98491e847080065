/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing what is slow to close: a TCP socket that lingers for its peer, as a
 * hostile client would send it.
 */
#include "threads/closer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "testing.h"

#define LINGER_S 20

static ThreadPool *pool;

static void test_close(void)
{
	int witness, fd = descriptor_new(&witness);

	closer_close(pool, &fd);
	g_assert_cmpint(fd, ==, -1);
	wait_until(descriptor_is_closed(witness));
	wait_until(closer_pending() == 0);
	close(witness);
}

static void test_nothing(void)
{
	int fd = -1;

	closer_close(pool, &fd);
	g_assert_cmpint(fd, ==, -1);
	g_assert_cmpuint(closer_pending(), ==, 0);
}

static void test_many(void)
{
	int witnesses[200], fd;

	for (size_t i = 0; i < G_N_ELEMENTS(witnesses); i++) {
		fd = descriptor_new(&witnesses[i]);
		closer_close(pool, &fd);
	}
	wait_until(closer_pending() == 0);
	for (size_t i = 0; i < G_N_ELEMENTS(witnesses); i++) {
		g_assert_true(descriptor_is_closed(witnesses[i]));
		close(witnesses[i]);
	}
}

/* Small buffers are full soon. */
static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int size = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static int tcp_listener(struct sockaddr_in *ret_address)
{
	socklen_t length = sizeof(*ret_address);
	int fd = tcp_socket();

	*ret_address = (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, length) < 0 ||
	    listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret_address, &length) < 0) {
		fd_clear(&fd);
		return -1;
	}
	return fd;
}

/* Full of bytes that nobody reads: its close() waits for *ret_peer. */
static int lingering_socket(int *ret_peer)
{
	static char bytes[65536];
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	struct sockaddr_in address;
	autofd listener = tcp_listener(&address);
	int fd = tcp_socket();

	if (listener < 0 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fd_clear(&fd);
		return -1;
	}
	*ret_peer = accept(listener, NULL, NULL);
	g_assert_no_errno(*ret_peer);
	g_assert_no_errno(
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* So many that are stuck. False: this machine has no TCP. */
static bool get_stuck(int *ret_peers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = lingering_socket(&ret_peers[i]);

		if (fd < 0) {
			g_test_skip("no TCP on this machine's loopback");
			return false;
		}
		closer_close(pool, &fd);
	}
	return true;
}

/* A peer that goes lets each of them end. */
static void get_unstuck(const int *peers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(peers[i]);
	wait_until(closer_pending() == 0);
}

/* The caller goes on, and so do others that have something to close. */
static void test_slow_close(void)
{
	int peers[3], fd, witness;
	gint64 start = g_get_monotonic_time();

	if (!get_stuck(peers, 3))
		return;
	fd = descriptor_new(&witness);
	closer_close(pool, &fd);
	wait_until(descriptor_is_closed(witness));
	wait_until(closer_pending() == 3);
	/* Waits no longer than it was told to. */
	closer_wait(1);
	g_assert_cmpuint(closer_pending(), ==, 3);
	g_assert_cmpint(g_get_monotonic_time() - start, <,
			(gint64)LINGER_S * 1000 * 1000);
	get_unstuck(peers, 3);
	close(witness);
}

static void socket_new(int *ret_ours, int *ret_theirs)
{
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	*ret_ours = ends[0];
	*ret_theirs = ends[1];
}

static void assert_shut_down(int theirs)
{
	char byte;

	g_assert_cmpint(recv(theirs, &byte, 1, MSG_DONTWAIT), ==, 0);
	g_assert_cmpint(send(theirs, "x", 1, MSG_NOSIGNAL), <, 0);
	g_assert_cmpint(errno, ==, EPIPE);
}

static void test_socket(void)
{
	int ours, theirs, none = -1;

	socket_new(&ours, &theirs);
	closer_close_socket(pool, &ours);
	g_assert_cmpint(ours, ==, -1);
	assert_shut_down(theirs);
	wait_until(closer_pending() == 0);
	close(theirs);
	closer_close_socket(pool, &none);
	g_assert_cmpuint(closer_pending(), ==, 0);
}

/* All threads for hostile descriptors are stuck. A client that left nothing
 * unread does not wait for them; one that did may have left such a one. */
static void test_socket_past_stuck(void)
{
	int peers[CLOSER_THREADS], clean[2], dirty[2], listener, witness;

	if (!get_stuck(peers, CLOSER_THREADS))
		return;
	socket_new(&dirty[0], &dirty[1]);
	g_assert_cmpint(send(dirty[1], "x", 1, 0), ==, 1);
	closer_close_socket(pool, &dirty[0]);
	g_assert_cmpint(send(dirty[1], "x", 1, MSG_NOSIGNAL), <, 0);
	for (int i = 0; i < 20; i++) {
		socket_new(&clean[0], &clean[1]);
		closer_close_socket(pool, &clean[0]);
		assert_shut_down(clean[1]);
		wait_until(closer_pending() == CLOSER_THREADS + 1);
		close(clean[1]);
	}
	listener = descriptor_new(&witness);
	closer_close_listener(pool, &listener);
	g_assert_cmpint(listener, ==, -1);
	wait_until(descriptor_is_closed(witness));
	close(witness);
	get_unstuck(peers, CLOSER_THREADS);
	close(dirty[1]);
}

static void test_wait(void)
{
	int witness, fd = descriptor_new(&witness);

	closer_close(pool, &fd);
	closer_wait(30000);
	g_assert_cmpuint(closer_pending(), ==, 0);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	pool = thread_pool_new(2 * CLOSER_THREADS);
	g_test_add_func("/closer/close", test_close);
	g_test_add_func("/closer/nothing", test_nothing);
	g_test_add_func("/closer/many", test_many);
	g_test_add_func("/closer/slow-close", test_slow_close);
	g_test_add_func("/closer/socket/idle", test_socket);
	g_test_add_func("/closer/socket/past-stuck", test_socket_past_stuck);
	g_test_add_func("/closer/wait", test_wait);
	return g_test_run();
}
