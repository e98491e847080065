/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lock that is free, that is kept, and that is let go meanwhile.
 */
#include "process/file-lock.h"

#include <fcntl.h>
#include <sys/file.h>

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

	g_assert_true(file_lock(fd, 0));
	g_assert_true(file_lock(fd, 0));
	close(fd);
}

static void test_kept(void)
{
	int fd = file_open(), other = file_open();
	gint64 since = g_get_monotonic_time();

	g_assert_no_errno(flock(other, LOCK_SH));
	g_assert_false(file_lock(fd, 0));
	g_assert_false(file_lock(fd, 50));
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

	g_assert_true(file_lock(other, 0));
	thread = g_thread_new("owner", let_go, GINT_TO_POINTER(other));
	g_assert_true(file_lock(fd, 30000));
	g_thread_join(thread);
	close(fd);
}

static void test_no_file(void)
{
	g_assert_false(file_lock(-1, 30000));
	g_assert_cmpint(errno, ==, EBADF);
}

int main(int argc, char **argv)
{
	int result;

	g_test_init(&argc, &argv, NULL);
	directory = directory_new();
	path = g_build_filename(directory, "file", NULL);
	g_test_add_func("/file-lock/free", test_free);
	g_test_add_func("/file-lock/kept", test_kept);
	g_test_add_func("/file-lock/let-go", test_let_go);
	g_test_add_func("/file-lock/no-file", test_no_file);
	result = g_test_run();
	directory_remove(directory);
	g_free(path);
	g_free(directory);
	return result;
}
