/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helper's side of the broker, whose part a thread plays that may lie.
 */
#include "multipath/broker/broker.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "multipath/broker/packet.h"
#include "multipath/host/multipathd.h"
#include "testing.h"

/* Far longer than anything takes that is to succeed, in milliseconds. */
#define LONG 30000

static PrivilegedRequest request;
static PrivilegedReply reply;
static int opened;

static void call(void)
{
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (request.timeout_ms == 0)
		request.timeout_ms = LONG;
	memset(&reply, 0x5a, sizeof(reply));
	opened = 12345;
	broker_call(&request, map, &reply, &opened);
}

static void test_nobody(void)
{
	call();
	g_assert_cmpint(reply.error, ==, EOPNOTSUPP);
	g_assert_cmpint(opened, ==, -1);
	g_assert_false(broker_is_available());
	g_assert_nonnull(strstr(broker_refusal(), "started as root"));
}

static void test_not_started(void)
{
	broker_not_started("no luck");
	g_assert_false(broker_is_available());
	call();
	g_assert_cmpint(reply.error, ==, EOPNOTSUPP);
	g_assert_cmpstr(broker_refusal(), ==,
			"multipath maps are refused: no luck");
}

static void test_ourselves(void)
{
	broker_not_needed();
	g_assert_true(broker_is_available());
	call();
	g_assert_cmpint(reply.error, ==, EINVAL);
	g_assert_cmpint(opened, ==, -1);
}

/* What the broker does with one request. */
typedef struct Fake {
	PrivilegedReply reply;
	size_t size; /* of the reply to send; 0: none */
	int fds[PACKET_FDS_MAX];
	size_t n_fds;

	int socket;
	PrivilegedRequest heard;
	bool is_null; /* the descriptor is the one that was lent */
} Fake;

static gpointer play(gpointer data)
{
	static const uint8_t zeroes[64];
	Fake *fake = data;
	uint8_t bytes[sizeof(PrivilegedReply) + sizeof(zeroes)] = { 0 };
	int fds[PACKET_FDS_MAX];
	struct stat null, map;
	size_t n_fds;

	g_assert_cmpint(packet_receive(fake->socket, &fake->heard,
				       sizeof(fake->heard), fds, &n_fds),
			==, PACKET_RECEIVED);
	g_assert_cmpuint(n_fds, ==, 2);
	g_assert_no_errno(stat("/dev/null", &null));
	g_assert_no_errno(fstat(fds[0], &map));
	fake->is_null = map.st_rdev == null.st_rdev;
	memcpy(bytes, &fake->reply, sizeof(fake->reply));
	if (fake->size > 0)
		g_assert_true(packet_send(fds[1], bytes, fake->size, fake->fds,
					  fake->n_fds, 0));
	close(fds[0]);
	close(fds[1]);
	return NULL;
}

/* Descriptors of the fake are closed. */
static void call_fake(Fake *fake)
{
	unsigned int before = descriptor_count() - (unsigned int)fake->n_fds;
	GThread *thread;
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	broker_use(ends[0]);
	fake->socket = ends[1];
	thread = g_thread_new("broker", play, fake);
	call();
	g_thread_join(thread);
	close(ends[0]);
	close(ends[1]);
	for (size_t i = 0; i < fake->n_fds; i++)
		close(fake->fds[i]);
	g_assert_cmpuint(descriptor_count(), ==, before + (opened >= 0));
}

static void test_request(void)
{
	Fake fake = { .size = sizeof(PrivilegedReply),
		      .reply = { .result = MULTIPATHD_FAILED,
				 .key = 7,
				 .aptpl = 1,
				 .hold = 1 } };

	request = (PrivilegedRequest) {
		.action = MULTIPATHD_SET_KEY,
		.timeout_ms = 1000,
		.key = 5,
	};
	call_fake(&fake);
	g_assert_cmpint(memcmp(&fake.heard, &request, sizeof(request)), ==, 0);
	g_assert_true(fake.is_null);
	g_assert_cmpint(memcmp(&fake.reply, &reply, sizeof(reply)), ==, 0);
	g_assert_cmpint(opened, ==, -1);
}

/* An error of open() comes without a descriptor. */
static void test_path_error(void)
{
	Fake fake = { .size = sizeof(PrivilegedReply),
		      .reply = { .error = ENXIO } };

	request = (PrivilegedRequest) { .action = PRIVILEGED_OPEN_PATH };
	call_fake(&fake);
	g_assert_cmpint(reply.error, ==, ENXIO);
	g_assert_cmpint(opened, ==, -1);
}

static void assert_nonsense(uint32_t action, Fake fake)
{
	request = (PrivilegedRequest) { .action = action };
	call_fake(&fake);
	g_assert_cmpint(reply.error, ==, EPROTO);
	g_assert_cmpint(opened, ==, -1);
}

static Fake answer(PrivilegedReply answer_reply, size_t n_fds)
{
	return (Fake) {
		.reply = answer_reply,
		.size = sizeof(PrivilegedReply),
		.n_fds = n_fds,
		.fds = { n_fds > 0 ? open("/dev/zero", O_RDONLY) : -1,
			 n_fds > 1 ? open("/dev/zero", O_RDONLY) : -1 },
	};
}

static void test_nonsense(void)
{
	PrivilegedReply good = { 0 };
	Fake fake = answer(good, 0);

	fake.size = sizeof(PrivilegedReply) - 1;
	assert_nonsense(MULTIPATHD_GET_KEY, fake);
	fake.size = sizeof(PrivilegedReply) + 1;
	assert_nonsense(MULTIPATHD_GET_KEY, fake);
	assert_nonsense(MULTIPATHD_GET_KEY, answer(good, 1));
	assert_nonsense(MULTIPATHD_GET_KEY, answer(good, 2));
	assert_nonsense(PRIVILEGED_OPEN_PATH, answer(good, 0));
	/* Not a block device, so not the path. */
	assert_nonsense(PRIVILEGED_OPEN_PATH, answer(good, 1));
	assert_nonsense(PRIVILEGED_OPEN_PATH,
			answer((PrivilegedReply) { .error = ENXIO }, 1));
	assert_nonsense(MULTIPATHD_GET_KEY,
			answer((PrivilegedReply) { .error = -1 }, 0));
	assert_nonsense(
		MULTIPATHD_GET_KEY,
		answer((PrivilegedReply) { .result = MULTIPATHD_RESULT_COUNT },
		       0));
	assert_nonsense(MULTIPATHD_GET_KEY,
			answer((PrivilegedReply) { .aptpl = 2 }, 0));
	assert_nonsense(MULTIPATHD_GET_KEY,
			answer((PrivilegedReply) { .hold = 2 }, 0));
}

/* The request's own process has ended, the broker has not. */
static void test_no_reply(void)
{
	Fake fake = { .size = 0 };

	request = (PrivilegedRequest) { .action = MULTIPATHD_GET_KEY };
	call_fake(&fake);
	g_assert_cmpint(reply.error, ==, EPIPE);
}

static gpointer call_in_thread(gpointer data)
{
	call();
	return data;
}

/* With requests under way, and then with the next one. */
static void test_dead(void)
{
	GThread *thread;
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	broker_use(ends[0]);
	thread = g_thread_new("caller", call_in_thread, NULL);
	wait_until(recv(ends[1], NULL, 0, MSG_PEEK | MSG_DONTWAIT) == 0);
	close(ends[1]);
	g_thread_join(thread);
	g_assert_cmpint(reply.error, ==, EPIPE);
	call();
	g_assert_cmpint(reply.error, ==, EPIPE);
	g_assert_cmpint(opened, ==, -1);
	close(ends[0]);
}

/* Nothing of a broker that is stuck is waited for longer than asked. */
static void test_stuck(void)
{
	int ends[2], sent = 0;

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	broker_use(ends[0]);
	request = (PrivilegedRequest) { .action = PRIVILEGED_OPEN_PATH,
					.timeout_ms = 1 };
	call();
	g_assert_cmpint(reply.error, ==, ETIMEDOUT);
	g_assert_cmpint(opened, ==, -1);
	while (send(ends[0], "", 1, MSG_DONTWAIT) == 1)
		sent++;
	g_assert_cmpint(sent, >, 0);
	call();
	g_assert_cmpint(reply.error, ==, EAGAIN);
	close(ends[0]);
	close(ends[1]);
	request = (PrivilegedRequest) { 0 };
}

/* The broker sees the end; who calls afterwards is told. */
static void test_stop(void)
{
	int ends[2];
	char byte;

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	broker_use(ends[0]);
	broker_stop();
	g_assert_cmpint(recv(ends[1], &byte, 1, 0), ==, 0);
	call();
	g_assert_cmpint(reply.error, ==, EPIPE);
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/broker/nobody", test_nobody);
	g_test_add_func("/broker/not-started", test_not_started);
	g_test_add_func("/broker/ourselves", test_ourselves);
	g_test_add_func("/broker/request", test_request);
	g_test_add_func("/broker/path-error", test_path_error);
	g_test_add_func("/broker/nonsense", test_nonsense);
	g_test_add_func("/broker/no-reply", test_no_reply);
	g_test_add_func("/broker/dead", test_dead);
	g_test_add_func("/broker/stuck", test_stuck);
	g_test_add_func("/broker/stop", test_stop);
	return g_test_run();
}
