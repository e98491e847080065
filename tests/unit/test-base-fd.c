/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that close by themselves, once, and leave errno alone.
 */
#include "base/fd.h"

#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "testing.h"

static void test_clear(void)
{
	int witness, fd = descriptor_new(&witness);

	fd_clear(&fd);
	g_assert_cmpint(fd, ==, -1);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

/* Also where close() fails, as it does for a number that is not open. */
static void test_errno(void)
{
	int fd = INT_MAX;

	errno = EAGAIN;
	fd_clear(&fd);
	g_assert_cmpint(errno, ==, EAGAIN);
}

/* close(-1) would set errno, and a number that is cleared twice may be
 * somebody else's by then. */
static void test_clear_twice(void)
{
	int witness, fd = descriptor_new(&witness), number = fd, other;

	fd_clear(&fd);
	other = dup(witness);
	g_assert_cmpint(other, ==, number);
	errno = 0;
	fd_clear(&fd);
	g_assert_cmpint(errno, ==, 0);
	g_assert_cmpint(fcntl(other, F_GETFD), ==, 0);
	close(other);
	close(witness);
}

/* errno of the call that made a function return is what its caller reads. */
static int fail_with_descriptor(int owned)
{
	autofd fd = owned;

	(void)fd;
	errno = ENXIO;
	return -1;
}

static int hand_on(int owned)
{
	autofd fd = owned;

	return fd_steal(&fd);
}

static void test_scope(void)
{
	int witness, fd = descriptor_new(&witness);

	g_assert_cmpint(hand_on(fd), ==, fd);
	g_assert_false(descriptor_is_closed(witness));
	g_assert_cmpint(fail_with_descriptor(fd), ==, -1);
	g_assert_cmpint(errno, ==, ENXIO);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

/* As in a kernel that has not got it. */
static bool deny(unsigned int call)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { G_N_ELEMENTS(rules), rules };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

/* Descriptors up to this one. */
#define MANY 60

/* 0, or in which step it failed. */
static int close_from(bool deny_close_range, bool deny_openat)
{
	const struct rlimit limit = { MANY + 1, MANY + 1 };

	for (int fd = 3; fd <= MANY; fd++)
		if (dup2(STDIN_FILENO, fd) < 0)
			return 1;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 2;
#ifdef __NR_close_range
	if (deny_close_range && !deny(__NR_close_range))
		return 3;
#else
	(void)deny_close_range;
#endif
	if (deny_openat && !deny(SYS_openat))
		return 4;
	fd_close_from(5);
	for (int fd = 0; fd <= MANY; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd < 5))
			return 5;
	return 0;
}

static void assert_closes_from(bool deny_close_range, bool deny_openat)
{
	pid_t child = fork();
	int status;

	g_assert_no_errno(child);
	if (child == 0)
		_exit(close_from(deny_close_range, deny_openat));
	g_assert_no_errno(waitpid(child, &status, 0));
	g_assert_cmphex(status, ==, 0);
}

/* With what newer kernels have, with /proc, and without either. */
static void test_close_from(void)
{
	assert_closes_from(false, false);
	assert_closes_from(true, false);
	assert_closes_from(true, true);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fd/clear", test_clear);
	g_test_add_func("/fd/errno", test_errno);
	g_test_add_func("/fd/clear-twice", test_clear_twice);
	g_test_add_func("/fd/scope", test_scope);
	g_test_add_func("/fd/close-from", test_close_from);
	return g_test_run();
}
