/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses up to the last byte that fits, a listener whose queue is full, and
 * who is at the other end.
 */
#include "base/unix-socket.h"

#include <errno.h>
#include <stddef.h>

#include "base/fd.h"
#include "testing.h"

#define PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static void test_address(void)
{
	g_autofree char *longest = g_strnfill(PATH_MAX_BYTES, 'a');
	g_autofree char *longer = g_strnfill(PATH_MAX_BYTES + 1, 'a');
	UnixAddress address, untouched;

	g_assert_true(unix_address_of_path(longest, &address));
	g_assert_cmpint(address.name.sun_family, ==, AF_UNIX);
	g_assert_cmpstr(address.name.sun_path, ==, longest);
	g_assert_cmpuint(address.length, ==, sizeof(address.name));
	untouched = address;
	g_assert_false(unix_address_of_path(longer, &address));
	g_assert_cmpint(errno, ==, ENAMETOOLONG);
	g_assert_false(unix_address_of_path("", &address));
	g_assert_cmpint(errno, ==, ENOENT);
	g_assert_cmpmem(&address, sizeof(address), &untouched,
			sizeof(untouched));
}

/* A file may be called "@x"; only who asks for it gets the abstract name. */
static void test_abstract(void)
{
	UnixAddress address;

	g_assert_true(unix_address_of_path("@x", &address));
	g_assert_cmpstr(address.name.sun_path, ==, "@x");
	g_assert_true(unix_address_of_name("@x", &address));
	g_assert_cmpmem(address.name.sun_path, 3, "\0x", 3);
	g_assert_cmpuint(address.length, ==,
			 offsetof(struct sockaddr_un, sun_path) + 2);
	g_assert_true(unix_address_of_name("x", &address));
	g_assert_cmpstr(address.name.sun_path, ==, "x");
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_no_errno(fd);
	return fd;
}

/* Listens at an abstract name of its own, which goes with the process. */
static int listener_new(int backlog, UnixAddress *ret_address)
{
	int fd = new_socket();
	struct sockaddr_un any = { .sun_family = AF_UNIX };

	/* The kernel chooses the name. */
	g_assert_no_errno(
		bind(fd, (struct sockaddr *)&any, sizeof(any.sun_family)));
	g_assert_no_errno(listen(fd, backlog));
	*ret_address = (UnixAddress) { .length = sizeof(any) };
	g_assert_no_errno(getsockname(fd, (struct sockaddr *)&ret_address->name,
				      &ret_address->length));
	return fd;
}

static void test_peer(void)
{
	UnixAddress address;
	autofd listener = listener_new(1, &address);
	autofd client = new_socket(), no_socket = -1;
	struct ucred peer;
	int witness;

	(void)listener;
	g_assert_true(unix_socket_connect(client, &address, 0));
	g_assert_true(unix_socket_peer(client, &peer));
	g_assert_cmpint(peer.pid, ==, getpid());
	g_assert_cmpuint(peer.uid, ==, geteuid());
	g_assert_cmpuint(peer.gid, ==, getegid());

	no_socket = descriptor_new(&witness);
	g_assert_false(unix_socket_peer(no_socket, &peer));
	g_assert_cmpint(peer.pid, ==, 0);
	g_assert_cmpuint(peer.uid, ==, (uid_t)-1);
	g_assert_cmpuint(peer.gid, ==, (gid_t)-1);
	close(witness);
}

static void test_nobody(void)
{
	UnixAddress address;
	autofd client = new_socket();
	int listener = listener_new(1, &address);

	close(listener);
	g_assert_false(unix_socket_connect(client, &address, 0));
	g_assert_cmpint(errno, ==, ECONNREFUSED);
}

/* Whether the limit is still to come or past, connect() comes back. */
static void test_full_queue(void)
{
	static const gint64 limits_us[] = { -1000, 20000 };
	UnixAddress address;
	autofd listener = listener_new(0, &address);
	autofd first = new_socket();

	(void)listener;
	g_assert_true(unix_socket_connect(first, &address, 0));
	for (size_t i = 0; i < G_N_ELEMENTS(limits_us); i++) {
		autofd next = new_socket();
		gint64 deadline_us = g_get_monotonic_time() + limits_us[i];

		g_assert_false(
			unix_socket_connect(next, &address, deadline_us));
		g_assert_cmpint(errno, ==, EAGAIN);
		g_assert_cmpint(g_get_monotonic_time(), >=, deadline_us);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/unix-socket/address", test_address);
	g_test_add_func("/unix-socket/abstract", test_abstract);
	g_test_add_func("/unix-socket/peer", test_peer);
	g_test_add_func("/unix-socket/nobody", test_nobody);
	g_test_add_func("/unix-socket/full-queue", test_full_queue);
	return g_test_run();
}
