/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's socket and session, as the thread that stays with the client uses
 * them; tests/integration has what the main loop does with them.
 */
#include "conversation/channel.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "testing.h"
#include "threads/closer.h"

static ThreadPool *pool;
static Channel channel;
static int client;
static int device; /* of a block device: a node that leads nowhere will do */

static const uint8_t read_keys[WIRE_CDB_SIZE] = {
	SCSI_PERSISTENT_RESERVE_IN, [8] = 8
};
static const uint8_t reserve[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
						SCSI_PR_OUT_RESERVE, [8] = 24 };

/* An O_PATH descriptor needs no driver. -1 where we may not make a node. */
static int open_device(void)
{
	g_autofree char *directory = directory_new();
	g_autofree char *node = g_build_filename(directory, "disk", NULL);
	int fd = -1;

	if (mknod(node, S_IFBLK | 0600, makedev(8, 240)) == 0)
		fd = open(node, O_PATH | O_CLOEXEC);
	directory_remove(directory);
	return fd;
}

static void send_flagged(const uint8_t *bytes, size_t size, int fd,
			 size_t count, int flags)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec run = { (void *)bytes, size };
	struct msghdr message = { .msg_iov = &run, .msg_iovlen = 1 };
	int *fds = (int *)(void *)CMSG_DATA(&control.header);

	if (count > 0) {
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			fds[i] = fd;
	}
	g_assert_cmpint(sendmsg(client, &message, flags), ==, size);
}

static void send_bytes(const uint8_t *bytes, size_t size, int fd, size_t count)
{
	send_flagged(bytes, size, fd, count, 0);
}

static void send_request(const uint8_t *cdb)
{
	send_bytes(cdb, WIRE_CDB_SIZE, device, 1);
}

/* Reads what is there; returns whether it is a whole command. */
static bool read_command(void)
{
	uint8_t *bytes;
	size_t size;

	while (session_wants(&channel.session, &bytes, &size) ==
	       SESSION_WANTS_READ)
		if (!channel_receive(&channel, bytes, size, MSG_DONTWAIT))
			return false;
	return session_wants(&channel.session, &bytes, &size) ==
	       SESSION_WANTS_ANSWER;
}

static void send_whole_reply(Command *command)
{
	size_t size = command_pack(command);
	uint8_t reply[WIRE_REPLY_SIZE + 8];

	g_assert_cmpint(send(channel.socket, command->header, size, 0), ==,
			size);
	command->sent = size;
	g_assert_cmpint(recv(client, reply, sizeof(reply), MSG_WAITALL), ==,
			sizeof(reply));
}

/* Whether it waits, and how it ended. */
static bool waits = true;
static ChannelNews news;

static gpointer next_command(gpointer command)
{
	Command *next = NULL;

	thread_mark_worker();
	news = channel_next(&channel, command, waits, &next);
	return next;
}

/* Where it is called: the main thread does not wait for a client. */
static Command *next_on_thread(Command *command)
{
	return g_thread_join(g_thread_new("stay", next_command, command));
}

/* The first command, as the main loop takes it, answered and replied to. */
static Command *first_command(void)
{
	Command *command;

	send_request(read_keys);
	g_assert_true(read_command());
	command = channel_take_command(&channel);
	close(fd_steal(&command->fd));
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
	send_whole_reply(command);
	channel.proven = true;
	return command;
}

static void start(void)
{
	static const uint8_t features[WIRE_FEATURES_SIZE];
	uint8_t *bytes;
	size_t size;
	int ends[2];

	if (!pool)
		pool = thread_pool_new(4);
	device = open_device();
	if (device < 0)
		device = open("/dev/null", O_RDWR | O_CLOEXEC);
	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	client = ends[1];
	channel_init(&channel, ends[0], pool);
	g_assert_cmpint(channel.peer.pid, ==, getpid());
	g_assert_cmpint(session_wants(&channel.session, &bytes, &size), ==,
			SESSION_WANTS_WRITE);
	g_assert_true(channel_transmit(&channel, bytes, size));
	g_assert_cmpint(recv(client, (char[4]) { 0 }, 4, 0), ==, 4);
	send_bytes(features, sizeof(features), -1, 0);
	g_assert_false(read_command());
	g_assert_cmpint(channel.session.state, ==, SESSION_RECV_CDB);
}

static void end(void)
{
	session_deinit(&channel.session);
	close(channel.socket);
	fd_clear(&client);
	close(device);
	wait_until(closer_pending() == 0);
}

/* Only root can make the node of a device; what is refused needs none. */
static bool have_device(void)
{
	int fd = open_device();

	if (fd < 0) {
		g_test_skip("cannot make a device node");
		return false;
	}
	close(fd);
	return true;
}

static void test_next(void)
{
	Command *command, *next;
	int64_t before;

	if (!have_device())
		return;
	start();
	command = first_command();
	before = g_get_monotonic_time();
	send_request(read_keys);
	next = next_on_thread(command);
	g_assert_nonnull(next);
	g_assert_cmpint(next->arrival_us, >=, before);
	g_assert_cmpint(next->peer.pid, ==, getpid());
	g_assert_cmpmem(next->cdb, WIRE_CDB_SIZE, read_keys, WIRE_CDB_SIZE);
	g_assert_cmpuint(next->sent, ==, 0);
	g_assert_true(next->block);
	g_assert_cmpuint(next->major, ==, 8);
	g_assert_cmpuint(next->minor, ==, 240);
	g_assert_nonnull(next->backend);
	g_assert_cmpint(next->fd, >=, 0);
	g_assert_cmpint(channel.session.state, ==, SESSION_EXECUTING);
	command_free(next);
	end();
}

static gpointer send_later(gpointer data)
{
	g_usleep(CHANNEL_PATIENCE_US / 4);
	send_request(read_keys);
	return data;
}

/* It waits; whether long enough is up to the machine. */
static void test_wait(void)
{
	Command *command;
	GThread *thread;
	bool came;

	if (!have_device())
		return;
	do {
		start();
		command = first_command();
		thread = g_thread_new("send", send_later, NULL);
		command = next_on_thread(command);
		g_thread_join(thread);
		came = command != NULL;
		command_free(command);
		end();
	} while (!came);
}

static void assert_left_to_loop(SessionState state)
{
	g_assert_null(next_on_thread(first_command()));
	g_assert_cmpint(news, ==, CHANNEL_OTHER);
	g_assert_cmpint(channel.session.state, ==, state);
}

/* Not for ever. */
static void test_nothing(void)
{
	start();
	assert_left_to_loop(SESSION_RECV_CDB);
	g_assert_true(channel.proven);
	/* Nothing is lost. */
	send_request(read_keys);
	g_assert_true(read_command());
	end();
}

/* Of a thread that does not wait. */
static void test_silence(void)
{
	Command *command;

	start();
	command = first_command();
	waits = false;
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(news, ==, CHANNEL_SILENCE);
	g_assert_null(next_on_thread(NULL));
	g_assert_cmpint(news, ==, CHANNEL_SILENCE);
	send_request(read_keys);
	g_assert_true(read_command());
	waits = true;
	end();
}

/* A request of two parts, as QEMU sends it; through a descriptor without the
 * right to it, which is the main loop's to refuse. */
static void test_parameter_list(void)
{
	Command *command;

	start();
	command = first_command();
	send_request(reserve);
	waits = false;
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(news, ==, CHANNEL_SILENCE);
	g_assert_cmpint(channel.session.state, ==, SESSION_RECV_PARAMETERS);
	send_bytes((uint8_t[24]) { [7] = 0x42 }, 24, -1, 0);
	g_assert_null(next_on_thread(NULL));
	g_assert_cmpint(news, ==, CHANNEL_OTHER);
	g_assert_cmpint(channel.session.state, ==, SESSION_EXECUTING);
	command = channel_take_command(&channel);
	g_assert_cmphex(command->data[7], ==, 0x42);
	command_free(command);
	waits = true;
	end();
}

static void test_piece(void)
{
	Command *command, *next;

	start();
	command = first_command();
	send_bytes(read_keys, 1, device, 1);
	for (size_t i = 1; i < WIRE_CDB_SIZE; i++)
		send_bytes(read_keys + i, 1, -1, 0);
	/* A stream: after the byte with the descriptor the rest is one. */
	next = next_on_thread(command);
	g_assert_cmpint(channel.session.state, ==, SESSION_EXECUTING);
	command_free(next ? next : channel_take_command(&channel));
	end();
}

/* A client that sends byte by byte, each with a descriptor, is left to the main
 * loop, which serves others in between. */
static void test_trickle(void)
{
	Command *command;

	start();
	command = first_command();
	send_request(reserve);
	for (size_t i = 0; i < 24; i++)
		send_bytes((uint8_t[1]) { 0 }, 1, device, 1);
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(news, ==, CHANNEL_OTHER);
	g_assert_cmpint(channel.session.state, ==, SESSION_RECV_PARAMETERS);
	g_assert_true(read_command());
	command_free(channel_take_command(&channel));
	end();
}

/* Descriptors that do not belong there are closed, which may take time. */
static void test_needless_descriptor(void)
{
	Command *command;

	start();
	command = first_command();
	send_request(reserve);
	send_bytes((uint8_t[24]) { 0 }, 24, device, 1);
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(news, ==, CHANNEL_OTHER);
	g_assert_false(channel.proven);
	g_assert_cmpint(channel.session.state, ==, SESSION_EXECUTING);
	command_free(channel_take_command(&channel));
	end();
}

/* A byte like any other, or the kernel would close its descriptor on the
 * reader's time. */
static void test_urgent_byte(void)
{
	Command *command;

	start();
	send_flagged(read_keys, 1, device, 1, MSG_OOB);
	send_bytes(read_keys + 1, WIRE_CDB_SIZE - 1, -1, 0);
	g_assert_true(read_command());
	command = channel_take_command(&channel);
	g_assert_cmpmem(command->cdb, WIRE_CDB_SIZE, read_keys, WIRE_CDB_SIZE);
	g_assert_cmpint(command->fd, >=, 0);
	command_free(command);
	end();
}

/* The main loop refuses it, and tells so. */
static void test_no_device(void)
{
	Command *command;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	start();
	command = first_command();
	send_bytes(read_keys, WIRE_CDB_SIZE, null, 1);
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(channel.session.state, ==, SESSION_EXECUTING);
	command_free(channel_take_command(&channel));
	close(null);
	end();
}

static void test_breach(void)
{
	unsigned int before;
	Command *command;

	start();
	command = first_command();
	before = descriptor_count();
	send_bytes(read_keys, WIRE_CDB_SIZE, device, 2);
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(channel.session.state, ==, SESSION_CLOSED);
	g_assert_false(channel.proven);
	wait_until(closer_pending() == 0);
	g_assert_cmpuint(descriptor_count(), ==, before);
	end();
}

static void test_gone(void)
{
	Command *command;

	start();
	command = first_command();
	fd_clear(&client);
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(channel.session.state, ==, SESSION_CLOSED);
	g_assert_null(session_breach(&channel.session));
	end();
}

/* What was sent before is still read. */
static void test_shut_out(void)
{
	Command *command;

	start();
	command = first_command();
	send_bytes(read_keys, 7, device, 1);
	channel_shut_out(&channel);
	g_assert_cmpint(send(client, "x", 1, MSG_NOSIGNAL), ==, -1);
	g_assert_null(next_on_thread(command));
	g_assert_cmpint(news, ==, CHANNEL_OTHER);
	g_assert_cmpint(channel.session.state, ==, SESSION_CLOSED);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/channel/next/comes", test_next);
	g_test_add_func("/channel/next/waits", test_wait);
	g_test_add_func("/channel/next/nothing", test_nothing);
	g_test_add_func("/channel/next/silence", test_silence);
	g_test_add_func("/channel/next/trickle", test_trickle);
	g_test_add_func("/channel/next/needless-descriptor",
			test_needless_descriptor);
	g_test_add_func("/channel/next/parameter-list", test_parameter_list);
	g_test_add_func("/channel/next/piece", test_piece);
	g_test_add_func("/channel/urgent-byte", test_urgent_byte);
	g_test_add_func("/channel/next/no-device", test_no_device);
	g_test_add_func("/channel/next/breach", test_breach);
	g_test_add_func("/channel/next/gone", test_gone);
	g_test_add_func("/channel/shut-out", test_shut_out);
	return g_test_run();
}
