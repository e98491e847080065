/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers: this process plays the helper, so it knows what is right.
 */
#include "client/helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/version-mark.h"
#include "client/helper-report.h"
#include "client/transfer.h"
#include "testing.h"

/* As helper-version.c reads. */
#define CHUNK 65536

static void check_find(const char *bytes, size_t size, const char *expected)
{
	/* On the heap, so that a sanitizer sees a byte too far. */
	g_autofree uint8_t *copy = g_malloc(MAX(size, 1));
	g_autofree char *version = NULL;

	memcpy(copy, bytes, size);
	version = helper_version_find(copy, size);
	g_assert_cmpstr(version, ==, expected);
}

#define CHECK_FIND(bytes, expected) \
	check_find(bytes, sizeof(bytes) - 1, expected)

static void test_find(void)
{
	CHECK_FIND("", NULL);
	CHECK_FIND(VERSION_MARK_PREFIX "0.1.0\0", "0.1.0");
	CHECK_FIND("x\0\xff" VERSION_MARK_PREFIX "1.2-3~deb12u1\0y",
		   "1.2-3~deb12u1");
	/* What only looks like it, and then the right one. */
	CHECK_FIND(VERSION_MARK_PREFIX "\0" VERSION_MARK_PREFIX "2\0", "2");
	CHECK_FIND(VERSION_MARK_PREFIX "1\n\0" VERSION_MARK_PREFIX "2\0", "2");
	CHECK_FIND("@(#)qemu-pr-helpe" VERSION_MARK_PREFIX "3\0", "3");
}

static void test_find_none(void)
{
	g_autofree char *digits = g_strnfill(65, '1');
	g_autofree char *longest =
		g_strconcat(VERSION_MARK_PREFIX, digits + 1, NULL);
	g_autofree char *too_long =
		g_strconcat(VERSION_MARK_PREFIX, digits, NULL);

	CHECK_FIND(VERSION_MARK_PREFIX, NULL);
	CHECK_FIND(VERSION_MARK_PREFIX "0.1.0", NULL); /* no NUL */
	CHECK_FIND(VERSION_MARK_PREFIX "0 1\0", NULL);
	CHECK_FIND(VERSION_MARK_PREFIX "\x1b[31m\0", NULL);
	CHECK_FIND("qemu-pr-helper 0.1.0\0", NULL);
	check_find(longest, strlen(longest) + 1, digits + 1);
	check_find(too_long, strlen(too_long) + 1, NULL);
}

/* A file of zeroes with a mark at `offset`. */
static void check_read(off_t offset)
{
	static const char mark[] = VERSION_MARK_PREFIX "4.5.6";
	autofd fd = memfd_create("program", MFD_CLOEXEC);
	g_autofree char *version = NULL;

	g_assert_no_errno(ftruncate(fd, 3 * CHUNK));
	g_assert_cmpint(pwrite(fd, mark, sizeof(mark), offset), ==,
			sizeof(mark));
	g_assert_true(helper_version_read(fd, &version));
	g_assert_cmpstr(version, ==, "4.5.6");
}

static void test_read(void)
{
	check_read(0);
	/* Everywhere across the end of the first bytes that are read. */
	for (off_t offset = CHUNK - 32; offset <= CHUNK; offset++)
		check_read(offset);
	check_read(2 * CHUNK - 7);
	check_read(3 * CHUNK);
}

static void test_read_none(void)
{
	autofd empty = memfd_create("program", MFD_CLOEXEC);
	autofd folder = open("/", O_RDONLY | O_CLOEXEC);
	char *version = (char *)"untouched";

	g_assert_false(helper_version_read(folder, &version));
	g_assert_cmpint(errno, ==, EISDIR);
	g_assert_cmpstr(version, ==, "untouched");
	g_assert_true(helper_version_read(empty, &version));
	g_assert_null(version);
}

static int other_end;

/* A connection on which this process has greeted, as far as it is known. */
static ClientConnection greet(void)
{
	ClientConnection connection = {
		.path = "/the/socket",
		.deadline = g_get_monotonic_time() + PATIENCE_US,
	};
	struct ucred sender;
	const int on = 1;
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	connection.fd = ends[0];
	other_end = ends[1];
	g_assert_no_errno(
		setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	g_assert_cmpint(write(other_end, "\0\0\0\0", 4), ==, 4);
	g_assert_true(transfer_receive_sender(&connection, STAGE_HANDSHAKE,
					      &sender, NULL));
	connection.helper_pid = sender.pid;
	connection.helper_uid = sender.uid;
	return connection;
}

static void end(ClientConnection *connection)
{
	fd_clear(&connection->fd);
	fd_clear(&other_end);
}

/* The bytes stay, and the kernel names the sender. */
static void test_sender(void)
{
	ClientConnection connection = greet();
	uint8_t word[4] = { 1, 1, 1, 1 };

	g_assert_cmpint(connection.helper_pid, ==, getpid());
	g_assert_cmpuint(connection.helper_uid, ==, getuid());
	g_assert_true(transfer_receive(&connection, word, sizeof(word),
				       STAGE_HANDSHAKE, NULL));
	g_assert_cmpmem(word, 4, "\0\0\0\0", 4);
	end(&connection);
}

static void test_sender_unknown(void)
{
	ClientConnection connection = greet();
	const int off = 0;
	struct ucred sender;

	g_assert_no_errno(setsockopt(connection.fd, SOL_SOCKET, SO_PASSCRED,
				     &off, sizeof(off)));
	g_assert_true(transfer_receive_sender(&connection, STAGE_HANDSHAKE,
					      &sender, NULL));
	g_assert_cmpint(sender.pid, ==, 0);
	end(&connection);
}

static void check_report(const HelperIdentity *helper, const char *expected)
{
	g_autoptr(GString) text = g_string_new("");

	helper_report_text(text, helper);
	g_assert_cmpstr(text->str, ==, expected);
}

/* This program is linked with the mark of the helper. */
static void test_identify(void)
{
	ClientConnection connection = greet();
	g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *end_of_report =
		g_strdup_printf(", program %s", program);
	g_autoptr(GString) text = g_string_new("");
	HelperIdentity helper;

	helper_identify(&connection, &helper);
	g_assert_cmpint(helper.pid, ==, getpid());
	g_assert_cmpint(helper.kind, ==, HELPER_OWN);
	g_assert_cmpstr(helper.version, ==, VERSION);
	g_assert_cmpstr(helper.program, ==, program);
	g_assert_null(helper.reason);
	helper_report_text(text, &helper);
	g_assert_true(g_str_has_prefix(text->str, "qemu-pr-helper " VERSION
						  " answers: pid "));
	g_assert_true(g_str_has_suffix(text->str, end_of_report));
	helper_deinit(&helper);
	end(&connection);
}

static void check_unknown(const ClientConnection *connection,
			  const char *reason)
{
	HelperIdentity helper;

	helper_identify(connection, &helper);
	g_assert_cmpint(helper.kind, ==, HELPER_UNKNOWN);
	if (!strstr(helper.reason, reason))
		g_error("'%s' lacks '%s'", helper.reason, reason);
	g_assert_null(helper.version);
	g_assert_null(helper.program);
	helper_deinit(&helper);
}

/* Nothing is guessed: not from a process that may have another's number. */
static void test_identify_not(void)
{
	ClientConnection connection = greet();
	uint8_t word[4];
	pid_t child;

	connection.helper_pid = 0;
	check_unknown(&connection, "outside of this container");

	child = fork();
	if (child == 0)
		_exit(0);
	g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
	connection.helper_pid = child;
	check_unknown(&connection, "No such file or directory");

	connection.helper_pid = getpid();
	g_assert_cmpint(read(connection.fd, word, 4), ==, 4);
	fd_clear(&other_end);
	check_unknown(&connection, "has closed the connection");
	end(&connection);
}

static void test_report(void)
{
	HelperIdentity other = { .pid = 7,
				 .uid = 4321,
				 .program = (char *)"/a\x1b[31m",
				 .kind = HELPER_OTHER };
	HelperIdentity unknown = { .uid = 0,
				   .user = (char *)"root",
				   .kind = HELPER_UNKNOWN,
				   .reason = (char *)"because" };

	check_report(&other, "another helper answers, QEMU's own for example: "
			     "pid 7, user 4321, program /a\\x1b[31m");
	check_report(&unknown, "a helper answers, its version is unknown "
			       "(because): user root");
}

static void test_manager(void)
{
	ClientConnection connection = greet();
	char name[16];

	g_assert_no_errno(prctl(PR_GET_NAME, name));
	g_assert_cmpint(helper_manager(&connection), ==, HELPER_MANAGER_NONE);
	g_assert_no_errno(prctl(PR_SET_NAME, "systemd"));
	g_assert_cmpint(helper_manager(&connection), ==, HELPER_MANAGER_USER);
	g_assert_no_errno(prctl(PR_SET_NAME, name));
	end(&connection);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/helper/version", test_find);
	g_test_add_func("/client/helper/version-none", test_find_none);
	g_test_add_func("/client/helper/file", test_read);
	g_test_add_func("/client/helper/file-none", test_read_none);
	g_test_add_func("/client/helper/sender", test_sender);
	g_test_add_func("/client/helper/sender-unknown", test_sender_unknown);
	g_test_add_func("/client/helper/identify", test_identify);
	g_test_add_func("/client/helper/identify-not", test_identify_not);
	g_test_add_func("/client/helper/report", test_report);
	g_test_add_func("/client/helper/manager", test_manager);
	return g_test_run();
}
