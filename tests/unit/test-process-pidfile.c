/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PID file's lock, contents and end. The lock belongs to the open file,
 * so that a second instance can be played by this same process.
 */
#include "process/pidfile.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "testing.h"

static char *directory, *path;

static void set_up(void)
{
	directory = directory_new();
	path = g_build_filename(directory, "pid", NULL);
}

static void tear_down(void)
{
	directory_remove(directory);
	g_clear_pointer(&path, g_free);
	g_clear_pointer(&directory, g_free);
}

static PidFile create(void)
{
	g_autoptr(GError) error = NULL;
	PidFile file = PID_FILE_NONE;

	g_assert_true(pidfile_create(path, &file, &error));
	g_assert_no_error(error);
	g_assert_cmpint(file.fd, >=, 0);
	return file;
}

static void assert_refused(const char *word)
{
	g_autoptr(GError) error = NULL;
	unsigned int before = descriptor_count();
	PidFile file = PID_FILE_NONE;

	g_assert_false(pidfile_create(path, &file, &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, word));
	g_assert_nonnull(strstr(error->message, path));
	g_assert_cmpint(file.fd, ==, -1);
	g_assert_cmpuint(descriptor_count(), ==, before);
}

static void assert_own_number(void)
{
	g_autofree char *text = file_read(path);
	g_autofree char *own = g_strdup_printf("%d\n", (int)getpid());

	g_assert_cmpstr(text, ==, own);
}

static bool exists(void)
{
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void test_create(void)
{
	PidFile file;
	struct stat status;

	set_up();
	file = create();
	assert_own_number();
	g_assert_no_errno(stat(path, &status));
	g_assert_cmpuint(status.st_mode & 022, ==, 0);
	g_assert_cmpint(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, !=, 0);
	pidfile_remove(&file);
	g_assert_cmpint(file.fd, ==, -1);
	g_assert_false(exists());
	tear_down();
}

/* The message names who has it, and the file stays as it is. */
static void test_locked(void)
{
	g_autofree char *own = g_strdup_printf("%d", (int)getpid());
	PidFile file;

	set_up();
	file = create();
	assert_refused(own);
	assert_own_number();
	pidfile_remove(&file);
	file = create();
	pidfile_remove(&file);
	tear_down();
}

static void test_stale(void)
{
	static const char *const texts[] = { "", "1\n", "4194304",
					     " 123456789 \n" };
	PidFile file;

	set_up();
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		file_write(path, texts[i]);
		file = create();
		assert_own_number();
		pidfile_remove(&file);
	}
	tear_down();
}

static void test_not_a_pidfile(void)
{
	static const char *const texts[] = {
		"root:x:0:0\n",
		"12a\n",
		"-1\n",
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n",
	};

	set_up();
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *text = NULL;

		file_write(path, texts[i]);
		assert_refused("does not look like");
		text = file_read(path);
		g_assert_cmpstr(text, ==, texts[i]);
	}
	tear_down();
}

/* As root one could lock, fail to write, and remove /dev/null. */
static void test_not_a_file(void)
{
	set_up();
	g_assert_no_errno(mkfifo(path, 0600));
	assert_refused("does not look like");
	g_assert_true(exists());
	g_assert_no_errno(unlink(path));

	g_assert_no_errno(symlink("/dev/null", path));
	assert_refused("does not look like");
	g_assert_true(exists());
	g_assert_no_errno(unlink(path));

	g_assert_no_errno(mkdir(path, 0700));
	assert_refused("cannot write");
	tear_down();
}

static void test_no_directory(void)
{
	set_up();
	g_free(path);
	path = g_build_filename(directory, "none", "pid", NULL);
	assert_refused("cannot write");
	tear_down();
}

/* A user who may read the file can keep both kinds of lock on it, and queue for
 * them while we run. */
static void test_reader(void)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	g_autoptr(GError) error = NULL;
	PidFile file;
	int reader;

	set_up();
	g_assert_true(g_file_set_contents(path, "1\n", -1, NULL));
	reader = open(path, O_RDONLY | O_CLOEXEC);
	g_assert_no_errno(fcntl(reader, F_OFD_SETLK, &whole));
	g_assert_no_errno(flock(reader, LOCK_SH));
	g_assert_true(pidfile_check(path, &error));
	file = create();
	assert_own_number();
	assert_refused("running instance");
	pidfile_remove(&file);
	g_assert_false(exists());
	close(reader);
	tear_down();
}

/* Somebody removed our file, and a successor has one of the same name. */
static void test_not_ours(void)
{
	PidFile file, successor;

	set_up();
	file = create();
	g_assert_no_errno(unlink(path));
	successor = create();
	pidfile_remove(&file);
	g_assert_true(exists());
	pidfile_remove(&successor);
	g_assert_false(exists());
	tear_down();
}

static void test_removed_already(void)
{
	PidFile file;

	set_up();
	file = create();
	g_assert_no_errno(unlink(path));
	pidfile_remove(&file);
	g_assert_cmpint(file.fd, ==, -1);
	tear_down();
}

static void test_none(void)
{
	PidFile file = PID_FILE_NONE;

	pidfile_remove(&file);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pidfile/create", test_create);
	g_test_add_func("/pidfile/locked", test_locked);
	g_test_add_func("/pidfile/stale", test_stale);
	g_test_add_func("/pidfile/not-a-pidfile", test_not_a_pidfile);
	g_test_add_func("/pidfile/not-a-file", test_not_a_file);
	g_test_add_func("/pidfile/no-directory", test_no_directory);
	g_test_add_func("/pidfile/reader", test_reader);
	g_test_add_func("/pidfile/remove/not-ours", test_not_ours);
	g_test_add_func("/pidfile/remove/removed-already",
			test_removed_already);
	g_test_add_func("/pidfile/remove/none", test_none);
	return g_test_run();
}
