/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lock that is free, that is kept, and that is let go meanwhile; a file that
 * is replaced; processes that live or have ended, which is no proof of a kill.
 * tests/vm/test-hang.py has one that was killed in a hung disk's ioctl().
 */
#include "process/owner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "testing.h"

static char *directory, *path;

static int file_open(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	g_assert_no_errno(fd);
	return fd;
}

static void test_free(void)
{
	int fd = file_open();

	g_assert_true(owner_lock(fd, 0));
	g_assert_true(owner_lock(fd, 0));
	close(fd);
}

static void test_kept(void)
{
	int fd = file_open(), other = file_open();
	gint64 since = g_get_monotonic_time();

	g_assert_no_errno(flock(other, LOCK_SH));
	g_assert_false(owner_lock(fd, 0));
	g_assert_false(owner_lock(fd, 50));
	g_assert_cmpint(errno, ==, EWOULDBLOCK);
	g_assert_cmpint(g_get_monotonic_time() - since, >=, 50000);
	close(fd);
	close(other);
}

static gpointer let_go(gpointer data)
{
	g_usleep(50000);
	close(GPOINTER_TO_INT(data));
	return NULL;
}

static void test_let_go(void)
{
	int fd = file_open(), other = file_open();
	GThread *thread;

	g_assert_true(owner_lock(other, 0));
	thread = g_thread_new("owner", let_go, GINT_TO_POINTER(other));
	g_assert_true(owner_lock(fd, 30000));
	g_thread_join(thread);
	close(fd);
}

static void test_no_file(void)
{
	g_assert_false(owner_lock(-1, 30000));
	g_assert_cmpint(errno, ==, EBADF);
}

static void test_same_file(void)
{
	g_autofree char *link_path = g_strconcat(path, ".link", NULL);
	autofd fd = file_open();

	g_assert_no_errno(symlink(path, link_path));
	g_assert_true(owner_is_same_file(fd, path, 0));
	g_assert_true(owner_is_same_file(fd, path, AT_SYMLINK_NOFOLLOW));
	g_assert_true(owner_is_same_file(fd, link_path, 0));
	g_assert_false(owner_is_same_file(fd, link_path, AT_SYMLINK_NOFOLLOW));
	g_assert_no_errno(unlink(path));
	g_assert_false(owner_is_same_file(fd, path, 0));
	close(file_open());
	g_assert_false(owner_is_same_file(fd, path, 0));
	g_assert_no_errno(unlink(link_path));
}

static void test_not_killed(void)
{
	siginfo_t ended;
	pid_t child = fork();

	g_assert_no_errno(child);
	if (child == 0) {
		raise(SIGKILL);
		_exit(1);
	}
	g_assert_false(owner_is_killed(getpid()));
	g_assert_false(owner_is_killed(0));
	g_assert_false(owner_is_killed(-1));
	/* A zombie, of which no thread is left: it holds nothing any more. */
	g_assert_no_errno(
		waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT));
	g_assert_false(owner_is_killed(child));
	g_assert_no_errno(waitid(P_PID, (id_t)child, &ended, WEXITED));
	g_assert_false(owner_is_killed(child));
}

int main(int argc, char **argv)
{
	int result;

	g_test_init(&argc, &argv, NULL);
	directory = directory_new();
	path = g_build_filename(directory, "file", NULL);
	g_test_add_func("/owner/free", test_free);
	g_test_add_func("/owner/kept", test_kept);
	g_test_add_func("/owner/let-go", test_let_go);
	g_test_add_func("/owner/no-file", test_no_file);
	g_test_add_func("/owner/same-file", test_same_file);
	g_test_add_func("/owner/not-killed", test_not_killed);
	result = g_test_run();
	directory_remove(directory);
	g_free(path);
	g_free(directory);
	return result;
}
