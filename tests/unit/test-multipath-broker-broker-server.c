/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A broker that executes what a test wants, asked by a helper that may be
 * hostile; and what it can still do when somebody has taken it over. It needs
 * root, as a broker is nothing else.
 */
#include "multipath/broker/broker-server.h"

#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "multipath/broker/packet.h"
#include "testing.h"

static BrokerReady ready;
static pid_t broker;
static int to_broker;

static PrivilegedReply reply;
static int passed; /* with the reply */

static void start(BrokerExecute *execute)
{
	int fds[PACKET_FDS_MAX];
	pid_t helper = getpid();
	size_t n_fds;
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	broker = fork();
	g_assert_no_errno(broker);
	if (broker == 0)
		broker_serve(ends[1], helper, execute);
	close(ends[1]);
	to_broker = ends[0];
	g_assert_cmpint(
		packet_receive(to_broker, &ready, sizeof(ready), fds, &n_fds),
		==, PACKET_RECEIVED);
	g_assert_cmpstr(ready.error, ==, "");
}

/* It ends with its socket, and well. */
static void stop(void)
{
	int status;

	fd_clear(&to_broker);
	g_assert_cmpint(waitpid(broker, &status, 0), ==, broker);
	g_assert_cmphex(status, ==, 0);
}

/* Sends a request; returns where its reply will come. */
static int ask(const PrivilegedRequest *request, int map)
{
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	g_assert_true(packet_send(to_broker, request, sizeof(*request),
				  (const int[]) { map, ends[1] }, 2, 0));
	close(ends[1]);
	return ends[0];
}

static PacketResult receive(int socket)
{
	int fds[PACKET_FDS_MAX];
	size_t n_fds;
	PacketResult result =
		packet_receive(socket, &reply, sizeof(reply), fds, &n_fds);

	passed = n_fds == 1 ? fds[0] : -1;
	close(socket);
	return result;
}

static void execute_increment(const PrivilegedRequest *request, int map,
			      PrivilegedReply *ret_reply, int *ret_fd)
{
	(void)map;
	*ret_reply = (PrivilegedReply) { .key = request->key + 1 };
	/* A child that hangs must not keep the broker's socket. */
	ret_reply->hold = fcntl(3, F_GETFD) < 0;
	*ret_fd = -1;
}

static void assert_serves(void)
{
	PrivilegedRequest request = { .key = 41 };
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);

	g_assert_cmpint(receive(ask(&request, map)), ==, PACKET_RECEIVED);
	g_assert_cmpuint(reply.key, ==, 42);
	g_assert_cmpuint(reply.hold, ==, 1);
	g_assert_cmpint(passed, ==, -1);
}

static unsigned int broker_descriptors(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)broker);
	g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
	unsigned int count = 0;

	g_assert_nonnull(directory);
	while (g_dir_read_name(directory))
		count++;
	return count;
}

static unsigned int broker_children(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children",
						(int)broker, (int)broker);
	g_autofree char *text = file_read(path);
	unsigned int count = 0;

	for (const char *p = text; *p; p++)
		count += *p == ' ';
	return count;
}

static void assert_clean(void)
{
	wait_until(broker_children() == 0);
	g_assert_cmpuint(broker_descriptors(), ==, 4);
}

static void test_requests(void)
{
	start(execute_increment);
	for (int i = 0; i < 50; i++)
		assert_serves();
	assert_clean();
	stop();
}

/* When the reply is there, nobody but us has the map, and it is not for the
 * next moment. */
static void test_no_reference(void)
{
	PrivilegedRequest request = { 0 };

	start(execute_increment);
	for (int i = 0; i < 100; i++) {
		int witness, map = descriptor_new(&witness);
		int socket = ask(&request, map);

		close(map);
		g_assert_cmpint(receive(socket), ==, PACKET_RECEIVED);
		g_assert_true(descriptor_is_closed(witness));
		close(witness);
	}
	stop();
}

/* --- hostile requests --- */

static void send_wrong(size_t size, const int *fds, size_t n_fds)
{
	static const char bytes[sizeof(PrivilegedRequest) + 64];

	g_assert_true(packet_send(to_broker, bytes, size, fds, n_fds, 0));
	assert_serves();
	assert_clean();
}

static void test_wrong_requests(void)
{
	size_t size = sizeof(PrivilegedRequest);
	int ends[2];
	int fds[2];

	start(execute_increment);
	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = ends[1];
	send_wrong(1, NULL, 0);
	send_wrong(size, NULL, 0);
	send_wrong(size, fds, 1);
	send_wrong(size - 1, fds, 2);
	send_wrong(size + 1, fds, 2);
	send_wrong(0, fds, 2);
	close(ends[1]);
	/* None of them had an answer. */
	g_assert_cmpint(recv(ends[0], &size, sizeof(size), 0), ==, 0);
	close(fds[0]);
	close(ends[0]);
	stop();
}

static void assert_silent(int socket)
{
	struct pollfd readable = { .fd = socket, .events = POLLIN };

	g_assert_no_errno(poll(&readable, 1, 0));
	g_assert_cmpint(readable.revents & POLLIN, ==, 0);
}

/* Sockets that uid 0 must not write to. */
static void test_wrong_reply_socket(void)
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM };
	size_t size = sizeof(PrivilegedRequest);
	int fds[2] = { open("/dev/null", O_RDONLY | O_CLOEXEC), -1 };
	int ends[2], status;
	pid_t other;

	start(execute_increment);
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		g_assert_no_errno(socketpair(AF_UNIX, types[i], 0, ends));
		fds[1] = ends[1];
		send_wrong(size, fds, 2);
		assert_silent(ends[0]);
		close(ends[0]);
		close(ends[1]);
	}
	fds[1] = fds[0];
	send_wrong(size, fds, 2);

	/* Another process has made this pair, by way of a third one. */
	g_assert_no_errno(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	other = fork();
	if (other == 0) {
		int made[2];

		_exit(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, made) < 0 ||
		      !packet_send(ends[1], "x", 1, made, 2, 0));
	}
	g_assert_cmpint(waitpid(other, &status, 0), ==, other);
	g_assert_cmpint(status, ==, 0);
	{
		int made[PACKET_FDS_MAX];
		size_t n_made;
		char byte;

		g_assert_cmpint(
			packet_receive(ends[0], &byte, 1, made, &n_made), ==,
			PACKET_RECEIVED);
		fds[1] = made[1];
		send_wrong(size, fds, 2);
		assert_silent(made[0]);
		close(made[0]);
		close(made[1]);
	}
	close(ends[0]);
	close(ends[1]);
	close(fds[0]);
	stop();
}

/* --- stuck children --- */

static void execute_or_hang(const PrivilegedRequest *request, int map,
			    PrivilegedReply *ret_reply, int *ret_fd)
{
	while (request->key == 0)
		poll(NULL, 0, 1000);
	execute_increment(request, map, ret_reply, ret_fd);
}

static void test_stuck(void)
{
	PrivilegedRequest request = { .key = 0 };
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int sockets[BROKER_CHILDREN_MAX];

	start(execute_or_hang);
	for (int i = 0; i < BROKER_CHILDREN_MAX; i++) {
		if (i == 1 || i == BROKER_CHILDREN_MAX - 1) {
			assert_serves();
			wait_until(broker_children() == (unsigned int)i);
		}
		sockets[i] = ask(&request, map);
	}
	g_assert_cmpint(receive(ask(&request, map)), ==, PACKET_RECEIVED);
	g_assert_cmpint(reply.error, ==, EAGAIN);
	g_assert_cmpuint(broker_children(), ==, BROKER_CHILDREN_MAX);
	/* They end with the broker, and the broker with its socket. */
	stop();
	for (int i = 0; i < BROKER_CHILDREN_MAX; i++)
		g_assert_cmpint(receive(sockets[i]), ==, PACKET_ENDED);
}

/* A child that dies leaves its caller without a reply, and nothing else. */
static void execute_die(const PrivilegedRequest *request, int map,
			PrivilegedReply *ret_reply, int *ret_fd)
{
	if (request->key == 0)
		__builtin_trap();
	execute_increment(request, map, ret_reply, ret_fd);
}

static void test_dying(void)
{
	PrivilegedRequest request = { .key = 0 };
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);

	start(execute_die);
	for (int i = 0; i < 2 * BROKER_CHILDREN_MAX; i++)
		g_assert_cmpint(receive(ask(&request, map)), ==, PACKET_ENDED);
	assert_serves();
	assert_clean();
	stop();
}

static void test_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
				       SIGPIPE, SIGUSR1, SIGALRM, SIGTSTP };

	start(execute_increment);
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
		g_assert_no_errno(kill(broker, signals[i]));
		assert_serves();
	}
	stop();
}

/* --- what it can still do --- */

static bool may_open(const char *path, int flags)
{
	autofd fd = open(path, flags | O_CLOEXEC, 0600);

	return fd >= 0;
}

static uint64_t files(void)
{
	return (uint64_t)may_open("/etc/passwd", O_RDONLY) << 0 |
	       (uint64_t)may_open("/etc", O_RDONLY) << 1 |
	       (uint64_t)may_open("/dev/null", O_WRONLY) << 2 |
	       (uint64_t)may_open("/dev/broker-test", O_RDWR | O_CREAT) << 3 |
	       (uint64_t)may_open("/proc/self/status", O_RDONLY) << 4 |
	       (uint64_t)may_open("/sys/kernel/rcu_expedited", O_WRONLY) << 5 |
	       (uint64_t)may_open("/dev", O_RDONLY) << 6;
}

static uint64_t calls(void)
{
	char program[] = "/bin/true";
	char *const arguments[] = { program, NULL };
	autofd internet = socket(AF_INET, SOCK_STREAM, 0);
	autofd netlink = socket(AF_NETLINK, SOCK_RAW, 0);

	bool writes = open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0 ||
		      errno != ENOSYS; /* not even without Landlock */

	execve(program, arguments, NULL);
	return (uint64_t)(internet >= 0) << 0 | (uint64_t)(netlink >= 0) << 1 |
	       (uint64_t)(kill(getppid(), 0) == 0) << 2 |
	       (uint64_t)(unshare(CLONE_NEWUSER) == 0) << 3 |
	       (uint64_t)(syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0) >= 0)
		       << 4 |
	       (uint64_t)(ioctl(0, FIONREAD, &internet) == 0) << 5 |
	       (uint64_t)(chmod("/dev/null", 0666) == 0) << 6 |
	       (uint64_t)(fcntl(0, F_SETOWN, getppid()) == 0) << 7 |
	       (uint64_t)(fcntl(0, F_SETSIG, SIGKILL) == 0) << 8 |
	       (uint64_t)writes << 9;
}

/* What must work is asked for as well. */
static void execute_break_out(const PrivilegedRequest *request, int map,
			      PrivilegedReply *ret_reply, int *ret_fd)
{
	(void)map;
	*ret_fd = -1;
	*ret_reply =
		(PrivilegedReply) { .key = request->key ? files() : calls() };
	ret_reply->hold = may_open("/dev/null", O_RDONLY) &&
			  may_open("/sys/dev/block", O_RDONLY) &&
			  may_open("/sys/kernel/uevent_seqnum", O_RDONLY);
}

static void test_files(void)
{
	PrivilegedRequest request = { .key = 1 };
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);

	start(execute_break_out);
	g_assert_cmpint(receive(ask(&request, map)), ==, PACKET_RECEIVED);
	g_assert_cmpuint(reply.hold, ==, 1);
	if (ready.confinement.files)
		g_assert_cmphex(reply.key, ==, 0);
	else
		g_test_skip("the kernel has no Landlock");
	stop();
}

static void test_calls(void)
{
	PrivilegedRequest request = { .key = 0 };
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);

	start(execute_break_out);
	g_assert_cmpint(receive(ask(&request, map)), ==, PACKET_RECEIVED);
	g_assert_cmpuint(reply.hold, ==, 1);
	if (ready.confinement.calls)
		g_assert_cmphex(reply.key, ==, 0);
	else
		g_test_skip("the kernel has no seccomp");
	stop();
}

static char device[64];

static void execute_open(const PrivilegedRequest *request, int map,
			 PrivilegedReply *ret_reply, int *ret_fd)
{
	(void)request;
	(void)map;
	*ret_reply = (PrivilegedReply) { 0 };
	*ret_fd = open(device, O_RDONLY | O_CLOEXEC);
	ret_reply->error = *ret_fd < 0 ? errno : 0;
}

/* Landlock must not follow the descriptor to the helper, who needs ioctl(). */
static void test_passed_path(void)
{
	PrivilegedRequest request = { 0 };
	autofd map = open("/dev/null", O_RDONLY | O_CLOEXEC);
	unsigned long long size;
	dev_t number;

	if (!block_device_find(0, device, sizeof(device), &number)) {
		g_test_skip("no block device can be opened");
		return;
	}
	start(execute_open);
	g_assert_cmpint(receive(ask(&request, map)), ==, PACKET_RECEIVED);
	g_assert_cmpint(reply.error, ==, 0);
	g_assert_no_errno(ioctl(passed, BLKGETSIZE64, &size));
	g_assert_cmpint(fcntl(passed, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
	close(passed);
	stop();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#ifdef __SANITIZE_THREAD__
	/* Its own thread is in the broker, too, which refuses to serve then. */
	return g_test_run();
#endif
	if (geteuid() != 0)
		return g_test_run();
	g_test_add_func("/broker-server/requests", test_requests);
	g_test_add_func("/broker-server/no-reference", test_no_reference);
	g_test_add_func("/broker-server/wrong-requests", test_wrong_requests);
	g_test_add_func("/broker-server/wrong-reply-socket",
			test_wrong_reply_socket);
	g_test_add_func("/broker-server/stuck", test_stuck);
	g_test_add_func("/broker-server/dying", test_dying);
	g_test_add_func("/broker-server/signals", test_signals);
	g_test_add_func("/broker-server/files", test_files);
	g_test_add_func("/broker-server/calls", test_calls);
	g_test_add_func("/broker-server/passed-path", test_passed_path);
	return g_test_run();
}
