/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end: here it is always this process.
 */
#include "base/peer.h"

#include <sys/prctl.h>
#include <sys/socket.h>

#include "testing.h"

static Peer peer_of_socket(int type)
{
	int ends[2];
	Peer peer;

	g_assert_no_errno(socketpair(AF_UNIX, type, 0, ends));
	memset(&peer, 0x5a, sizeof(peer));
	peer_get(ends[0], &peer);
	close(ends[0]);
	close(ends[1]);
	return peer;
}

static void test_self(void)
{
	Peer peer;

	g_assert_no_errno(prctl(PR_SET_NAME, "some name"));
	peer = peer_of_socket(SOCK_STREAM);
	g_assert_cmpint(peer.pid, ==, getpid());
	g_assert_cmpuint(peer.uid, ==, geteuid());
	g_assert_cmpuint(peer.gid, ==, getegid());
	g_assert_cmpstr(peer.comm, ==, "some name");
}

/* The longest that the kernel has, and one with a line end in it. */
static void test_names(void)
{
	Peer peer;

	g_assert_no_errno(prctl(PR_SET_NAME, "123456789012345"));
	peer = peer_of_socket(SOCK_STREAM);
	g_assert_cmpstr(peer.comm, ==, "123456789012345");
	g_assert_no_errno(prctl(PR_SET_NAME, "two\nlines"));
	peer = peer_of_socket(SOCK_STREAM);
	g_assert_null(strchr(peer.comm, '\n'));
}

static void test_unknown(void)
{
	int witness, fd = descriptor_new(&witness);
	Peer peer;

	memset(&peer, 0x5a, sizeof(peer));
	peer_get(fd, &peer);
	g_assert_cmpint(peer.pid, ==, 0);
	g_assert_true(peer.uid == (uid_t)-1);
	g_assert_true(peer.gid == (gid_t)-1);
	g_assert_cmpstr(peer.comm, ==, "?");
	close(fd);
	close(witness);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/peer/self", test_self);
	g_test_add_func("/peer/names", test_names);
	g_test_add_func("/peer/unknown", test_unknown);
	return g_test_run();
}
