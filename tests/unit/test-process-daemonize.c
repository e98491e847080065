/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the shell sees of -d. A child of the test is the starting process; what
 * daemonize() makes of it tells through a pipe what it has become.
 */
#include "process/daemonize.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "testing.h"

static int report; /* a pipe of the daemon's to the test */

/* Runs the body in the daemon; returns the starting process's wait status. */
static int start(void (*body)(int *parent))
{
	int status;
	pid_t starter = fork();

	g_assert_no_errno(starter);
	if (starter == 0) {
		g_autoptr(GError) error = NULL;
		int parent = -1;

		if (!daemonize(&parent, &error))
			_exit(99);
		body(&parent);
		_exit(0);
	}
	g_assert_no_errno(waitpid(starter, &status, 0));
	return status;
}

static void assert_exits(void (*body)(int *parent), int expected)
{
	int status = start(body);

	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, expected);
}

static void fail(int *parent)
{
	(void)parent;
	_exit(3);
}

static void end_too_soon(int *parent)
{
	(void)parent;
	_exit(0);
}

static void die(int *parent)
{
	(void)parent;
	raise(SIGKILL);
}

static void test_failures(void)
{
	assert_exits(fail, 3);
	assert_exits(end_too_soon, 1);
	assert_exits(die, 1);
}

static bool is_null(int fd)
{
	struct stat status, null;

	return fstat(fd, &status) == 0 && stat("/dev/null", &null) == 0 &&
	       status.st_rdev == null.st_rdev;
}

static void say(char byte)
{
	g_assert_cmpint(write(report, &byte, 1), ==, 1);
}

/* Standard error is still the shell's until then: an error must reach it. */
static void become_ready(int *parent)
{
	g_autofree char *here = g_get_current_dir();
	int pipe_end = *parent;

	say(is_null(STDERR_FILENO) ? 'x' : '1');
	say(getsid(0) == getpid() ? '2' : 'x');
	say(strcmp(here, "/") == 0 ? '3' : 'x');
	say(fcntl(pipe_end, F_GETFD) == FD_CLOEXEC ? '4' : 'x');
	daemonize_ready(parent);
	say(*parent == -1 && fcntl(pipe_end, F_GETFD) < 0 ? '5' : 'x');
	say(is_null(0) && is_null(1) && is_null(2) ? '6' : 'x');
}

static void test_ready(void)
{
	char said[16] = "";
	int ends[2];

	g_assert_no_errno(pipe2(ends, O_CLOEXEC));
	report = ends[1];
	assert_exits(become_ready, 0);
	close(ends[1]);
	for (size_t size = 0; size < sizeof(said) - 1;) {
		ssize_t n = read(ends[0], said + size, 1);

		if (n <= 0)
			break;
		size++;
	}
	g_assert_cmpstr(said, ==, "123456");
	close(ends[0]);
}

/* Without -d there is nobody to tell, and standard error stays. */
static void test_foreground(void)
{
	int none = -1;
	bool before = is_null(STDERR_FILENO);

	daemonize_ready(&none);
	g_assert_cmpint(none, ==, -1);
	g_assert_true(is_null(STDERR_FILENO) == before);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/daemonize/failures", test_failures);
	g_test_add_func("/daemonize/ready", test_ready);
	g_test_add_func("/daemonize/foreground", test_foreground);
	return g_test_run();
}
