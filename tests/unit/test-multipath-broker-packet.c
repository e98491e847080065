/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets whole and not: of another size, with descriptors and too many.
 */
#include "multipath/broker/packet.h"

#include <sys/socket.h>

#include "testing.h"

static int ends[2];
static int received[PACKET_FDS_MAX];
static size_t n_received;

static void begin(void)
{
	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
}

static void end(void)
{
	close(ends[0]);
	close(ends[1]);
}

static PacketResult receive(void)
{
	char text[4];

	n_received = 77;
	return packet_receive(ends[1], text, sizeof(text), received,
			      &n_received);
}

static void test_sizes(void)
{
	static const PacketResult results[] = {
		PACKET_ENDED,    PACKET_WRONG, PACKET_WRONG, PACKET_WRONG,
		PACKET_RECEIVED, PACKET_WRONG, PACKET_WRONG,
	};

	begin();
	for (size_t size = 0; size < G_N_ELEMENTS(results); size++) {
		g_assert_true(
			packet_send(ends[0], "abcdefgh", size, NULL, 0, 0));
		g_assert_cmpint(receive(), ==, results[size]);
		g_assert_cmpuint(n_received, ==, 0);
	}
	end();
}

static void test_descriptors(void)
{
	int witness[2];
	int fds[2] = { descriptor_new(&witness[0]),
		       descriptor_new(&witness[1]) };

	begin();
	for (size_t n = 0; n <= PACKET_FDS_MAX; n++) {
		g_assert_true(packet_send(ends[0], "abcd", 4, fds, n, 0));
		g_assert_cmpint(receive(), ==, PACKET_RECEIVED);
		g_assert_cmpuint(n_received, ==, n);
		for (size_t i = 0; i < n; i++) {
			g_assert_true(fcntl(received[i], F_GETFD) & FD_CLOEXEC);
			close(received[i]);
		}
	}
	for (size_t i = 0; i < 2; i++) {
		close(fds[i]);
		g_assert_true(descriptor_is_closed(witness[i]));
		close(witness[i]);
	}
	end();
}

/* Descriptors that come with a wrong packet are closed. */
static void test_wrong_with_descriptors(void)
{
	int witness;
	int fd = descriptor_new(&witness);
	int fds[2] = { fd, fd };

	begin();
	for (size_t size = 0; size < 6; size += 5) {
		g_assert_true(packet_send(ends[0], "abcde", size, fds, 2, 0));
		g_assert_cmpint(receive(), ==, PACKET_WRONG);
		g_assert_cmpuint(n_received, ==, 0);
	}
	close(fd);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
	end();
}

static void send_many(const int *fds, size_t n)
{
	char text[] = "abcd";
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec bytes = { text, 4 };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	g_assert_cmpint(sendmsg(ends[0], &message, 0), ==, 4);
}

static void test_too_many(void)
{
	unsigned int before;
	int fds[8];
	int witness;

	begin();
	fds[0] = descriptor_new(&witness);
	for (size_t i = 1; i < 8; i++)
		fds[i] = fds[0];
	before = descriptor_count();
	for (size_t n = PACKET_FDS_MAX + 1; n <= 8; n++) {
		send_many(fds, n);
		g_assert_cmpint(receive(), ==, PACKET_WRONG);
		g_assert_cmpuint(descriptor_count(), ==, before);
	}
	close(fds[0]);
	close(witness);
	end();
}

static void test_end(void)
{
	begin();
	close(ends[0]);
	g_assert_cmpint(receive(), ==, PACKET_ENDED);
	g_assert_false(packet_send(ends[1], "abcd", 4, NULL, 0, 0));
	g_assert_cmpint(errno, ==, EPIPE);
	close(ends[1]);
	g_assert_cmpint(receive(), ==, PACKET_ENDED);
}

static void test_full(void)
{
	begin();
	while (packet_send(ends[0], "abcd", 4, NULL, 0, MSG_DONTWAIT))
		;
	g_assert_cmpint(errno, ==, EAGAIN);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/packet/sizes", test_sizes);
	g_test_add_func("/packet/descriptors", test_descriptors);
	g_test_add_func("/packet/wrong-with-descriptors",
			test_wrong_with_descriptors);
	g_test_add_func("/packet/too-many", test_too_many);
	g_test_add_func("/packet/end", test_end);
	g_test_add_func("/packet/full", test_full);
	return g_test_run();
}
