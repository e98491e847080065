/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is let in, and how everybody goes. The calls that make this hard,
 * accept() that fails and close() that hangs, are the test's own; so is the
 * time that the end waits.
 */
#include "serve/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "capture.h"
#include "looping.h"
#include "threads/closer.h"

#define BACKLOG 64

static pthread_t main_thread;
static unsigned int accepts;
static int accept_error;
static unsigned int accept_failures; /* that are still to come */
static atomic_bool closing_hangs;
static unsigned int sleeps, sleeps_until_closed;

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
	accepts++;
	if (accept_failures > 0) {
		accept_failures--;
		errno = accept_error;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, address.__sockaddr__, length,
			    flags);
}

int close(int fd)
{
	while (atomic_load(&closing_hangs) &&
	       !pthread_equal(pthread_self(), main_thread))
		usleep(50);
	return (int)syscall(SYS_close, fd);
}

/* The end of the server sleeps a millisecond at a time. */
void g_usleep(gulong microseconds)
{
	usleep((useconds_t)microseconds);
	if (++sleeps != sleeps_until_closed)
		return;
	atomic_store(&closing_hangs, false);
	while (closer_pending() > 0)
		usleep(50);
}

static Poller *poller;
static Server *server;
static int listener;
static struct sockaddr_un address;
static char *directory;
static Capture logged;

static void start(unsigned int max_clients)
{
	ServerLimits limits = { .max_clients = max_clients,
				.descriptors = 10000,
				.command_timeout_us =
					(int64_t)60 * 1000 * 1000 };
	g_autoptr(GError) error = NULL;

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	logged = capture_log();
	accepts = sleeps = sleeps_until_closed = accept_failures = 0;
	directory = directory_new();
	address.sun_family = AF_UNIX;
	g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/s",
		   directory);
	g_assert_no_errno(
		bind(listener, (struct sockaddr *)&address, sizeof(address)));
	g_assert_no_errno(listen(listener, BACKLOG));
	poller = poller_new(&error);
	server = server_new(poller, listener, &limits, &error);
	g_assert_no_error(error);
}

static void end(void)
{
	atomic_store(&closing_hangs, false);
	server_free(server);
	wait_until(closer_pending() == 0);
	poller_free(poller);
	directory_remove(directory);
	g_free(directory);
	capture_end(&logged);
}

static int client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	g_assert_no_errno(
		connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* What a client gets first: 4 bytes of features, or the end. */
static ssize_t greeting(int fd)
{
	uint8_t bytes[4];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) < 0 && errno == EAGAIN)
		g_main_context_iteration(NULL, FALSE);
	return n < 0 ? 0 : n;
}

static void test_limit(void)
{
	int fds[3];

	start(2);
	for (size_t i = 0; i < 2; i++) {
		fds[i] = client();
		g_assert_cmpint(greeting(fds[i]), ==, 4);
	}
	fds[2] = client();
	g_assert_cmpint(greeting(fds[2]), ==, 0);
	g_assert_cmpuint(captured_times(&logged, "--max-clients is reached"),
			 ==, 1);
	close(fds[0]);
	run_pending();
	wait_until(closer_pending_sockets() == 0);
	fds[0] = client();
	g_assert_cmpint(greeting(fds[0]), ==, 4);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	end();
}

/* Or whoever makes closing slow would get around the limit. */
static void test_limit_counts_closing(void)
{
	int stays, goes, next;

	start(2);
	stays = client();
	goes = client();
	g_assert_cmpint(greeting(stays), ==, 4);
	g_assert_cmpint(greeting(goes), ==, 4);
	atomic_store(&closing_hangs, true);
	close(goes);
	run_pending();
	g_assert_cmpuint(closer_pending_sockets(), ==, 1);
	next = client();
	g_assert_cmpint(greeting(next), ==, 0);
	close(next);
	atomic_store(&closing_hangs, false);
	wait_until(closer_pending_sockets() == 0);
	next = client();
	g_assert_cmpint(greeting(next), ==, 4);
	close(next);
	close(stays);
	end();
}

/* So that those who come do not keep those who are there waiting. */
static void test_batch(void)
{
	int fds[40];

	start(100);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = client();
	while (accepts == 0)
		g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(accepts, ==, 32);
	run_pending();
	g_assert_cmpuint(accepts, ==, 41);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		g_assert_cmpint(greeting(fds[i]), ==, 4);
		close(fds[i]);
	}
	end();
}

static void test_error(void)
{
	gint64 since = g_get_monotonic_time();
	int fd;

	start(2);
	accept_error = ENOMEM;
	accept_failures = 3;
	fd = client();
	for (unsigned int i = 1; i <= 3; i++) {
		while (accepts < i)
			g_main_context_iteration(NULL, FALSE);
		run_pending();
		g_assert_cmpuint(accepts, ==, i);
	}
	g_assert_cmpint(greeting(fd), ==, 4);
	/* A pause after each, or this would have been a busy loop. */
	g_assert_cmpint(g_get_monotonic_time() - since, >=, 3 * 99000);
	g_assert_cmpuint(captured_times(&logged, "cannot accept a client"), ==,
			 1);
	g_assert_cmpuint(captured_times(&logged, g_strerror(ENOMEM)), ==, 1);
	close(fd);
	end();
}

/* As when the socket is shared, and its other owner shuts it down: epoll tells
 * of it whatever it was asked for. */
static void test_shut_down(void)
{
	gint64 until;

	start(2);
	g_assert_no_errno(shutdown(listener, SHUT_RDWR));
	until = g_get_monotonic_time() + 350000;
	while (g_get_monotonic_time() < until)
		g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(accepts, >=, 2);
	g_assert_cmpuint(accepts, <=, 4);
	g_assert_cmpuint(captured_times(&logged, "cannot accept a client"), ==,
			 1);
	end();
}

/* The client of the moment is no reason to pause. */
static void test_transient_error(void)
{
	int fd;

	start(2);
	accept_error = ECONNABORTED;
	accept_failures = 1;
	fd = client();
	while (accepts < 1)
		g_main_context_iteration(NULL, FALSE);
	g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(accepts, >=, 2);
	g_assert_cmpint(greeting(fd), ==, 4);
	g_assert_cmpuint(captured_times(&logged, "cannot accept"), ==, 0);
	close(fd);
	end();
}

/* The spare descriptor turns the client away, and is there the next time. */
static void test_table_full(void)
{
	unsigned int descriptors;
	int first;

	start(2);
	first = client();
	g_assert_cmpint(greeting(first), ==, 4);
	descriptors = descriptor_count();
	for (unsigned int i = 1; i <= 2; i++) {
		int fd = client();
		unsigned int before = accepts;

		accept_error = EMFILE;
		accept_failures = 1;
		g_assert_cmpint(greeting(fd), ==, 0);
		g_assert_cmpuint(accepts, ==, before + 2);
		g_assert_cmpuint(
			captured_times(&logged, "no file descriptor is left"),
			==, i);
		run_pending();
		g_assert_cmpuint(accepts, ==, before + 2);
		close(fd);
	}
	close(first);
	run_pending();
	wait_until(closer_pending() == 0);
	first = client();
	g_assert_cmpint(greeting(first), ==, 4);
	g_assert_cmpuint(descriptor_count(), ==, descriptors);
	close(first);
	end();
}

static unsigned int drained;

static void on_drained(void *data)
{
	g_assert_true(data == &drained);
	drained++;
}

static void test_drain(void)
{
	uint8_t byte;
	int fd;

	start(2);
	fd = client();
	g_assert_cmpint(greeting(fd), ==, 4);
	drained = 0;
	server_drain(server, (int64_t)60 * 1000 * 1000, on_drained, &drained);
	run_until(drained);
	run_pending();
	g_assert_cmpuint(drained, ==, 1);
	g_assert_cmpint(recv(fd, &byte, 1, 0), ==, 0);
	close(fd);
	end();
}

static void test_drain_nobody(void)
{
	start(2);
	drained = 0;
	server_drain(server, (int64_t)60 * 1000 * 1000, on_drained, &drained);
	g_assert_cmpuint(drained, ==, 1);
	end();
}

/* A successor may count on the sockets being closed... */
static void test_end_waits(void)
{
	int fd;

	start(2);
	fd = client();
	g_assert_cmpint(greeting(fd), ==, 4);
	atomic_store(&closing_hangs, true);
	sleeps = 0;
	sleeps_until_closed = 100;
	server_free(g_steal_pointer(&server));
	g_assert_cmpuint(closer_pending(), ==, 0);
	g_assert_cmpuint(sleeps, ==, 100);
	close(fd);
	end();
}

/* ... but not for ever. */
static void test_end_gives_up(void)
{
	start(2);
	atomic_store(&closing_hangs, true);
	sleeps = 0;
	server_free(g_steal_pointer(&server));
	g_assert_cmpuint(closer_pending(), ==, 1); /* the listening socket */
	g_assert_cmpuint(sleeps, ==, 500);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	main_thread = pthread_self();
	g_test_add_func("/server/limit", test_limit);
	g_test_add_func("/server/limit/counts-closing",
			test_limit_counts_closing);
	g_test_add_func("/server/batch", test_batch);
	g_test_add_func("/server/error", test_error);
	g_test_add_func("/server/shut-down", test_shut_down);
	g_test_add_func("/server/transient-error", test_transient_error);
	g_test_add_func("/server/table-full", test_table_full);
	g_test_add_func("/server/drain", test_drain);
	g_test_add_func("/server/drain/nobody", test_drain_nobody);
	g_test_add_func("/server/end/waits", test_end_waits);
	g_test_add_func("/server/end/gives-up", test_end_gives_up);
	return g_test_run();
}
