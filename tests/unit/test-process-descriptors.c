/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptor table, changed in a child so that the test keeps its own.
 */
#include "process/descriptors.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "testing.h"

static void run_in_child(int (*body)(void))
{
	pid_t child = fork();
	int status;

	g_assert_no_errno(child);
	if (child == 0)
		_exit(body());
	g_assert_no_errno(waitpid(child, &status, 0));
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

/* Each subset of the three, and no more than these. */
static int fill_standard(void)
{
	for (int closed = 0; closed < 8; closed++) {
		unsigned int before = descriptor_count();

		for (int fd = 0; fd <= 2; fd++)
			if (closed & 1 << fd)
				close(fd);
		descriptors_fill_standard();
		for (int fd = 0; fd <= 2; fd++)
			if (fcntl(fd, F_GETFL) < 0)
				return 1;
		if (descriptor_count() != before)
			return 2;
		/* What is printed there fails, as it would be lost. */
		if (closed & 1 << STDOUT_FILENO && write(1, "", 1) >= 0)
			return 3;
	}
	return 0;
}

static void test_fill_standard(void)
{
	run_in_child(fill_standard);
}

/* libvirt has a lock on one of ours. */
static int keep_inherited(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		return 1;
	close(0);
	descriptors_fill_standard();
	descriptors_raise_limit();
	return fcntl(ends[0], F_GETFD) == 0 && fcntl(ends[1], F_GETFD) == 0 ? 0
									    : 2;
}

static void test_keep_inherited(void)
{
	run_in_child(keep_inherited);
}

static int raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 64;
	limit.rlim_max = MIN(limit.rlim_max, 500);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	if (descriptors_raise_limit() != limit.rlim_max)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur != limit.rlim_max)
		return 3;
	return descriptors_raise_limit() == limit.rlim_max ? 0 : 4;
}

static void test_raise_limit(void)
{
	run_in_child(raise_limit);
}

static void test_open(void)
{
	unsigned int before = descriptors_open();
	int ends[2];

	g_assert_cmpuint(before, ==, descriptor_count());
	g_assert_no_errno(pipe(ends));
	g_assert_cmpuint(descriptors_open(), ==, before + 2);
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/descriptors/fill-standard", test_fill_standard);
	g_test_add_func("/descriptors/keep-inherited", test_keep_inherited);
	g_test_add_func("/descriptors/raise-limit", test_raise_limit);
	g_test_add_func("/descriptors/open", test_open);
	return g_test_run();
}
