/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that close by themselves, once, and leave errno alone.
 */
#include "base/fd.h"

#include <glib-unix.h>
#include <limits.h>

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

	return g_steal_fd(&fd);
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

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fd/clear", test_clear);
	g_test_add_func("/fd/errno", test_errno);
	g_test_add_func("/fd/clear-twice", test_clear_twice);
	g_test_add_func("/fd/scope", test_scope);
	return g_test_run();
}
