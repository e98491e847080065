/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the unit tests share: directories that go away again, descriptors whose
 * end can be seen, and waiting for other threads. The hard rule: a test waits
 * for a condition, never for a time.
 */
#ifndef TESTING_H
#define TESTING_H

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "scsi/scsi.h"

/* For GLib before 2.66. */
#undef g_assert_no_errno
#define g_assert_no_errno(call)                                               \
	do {                                                                  \
		const char *errno_text = (call) < 0 ? g_strerror(errno) : ""; \
                                                                              \
		g_assert_cmpstr(errno_text, ==, "");                          \
	} while (0)

/* Longer than any machine needs, so that only a fault ends it. */
#define PATIENCE_US ((gint64)30 * 1000 * 1000)

/* Until another thread has made the condition true. */
#define wait_until(condition)                                                 \
	do {                                                                  \
		gint64 wait_end = g_get_monotonic_time() + PATIENCE_US;       \
                                                                              \
		while (!(condition)) {                                        \
			g_assert_cmpint(g_get_monotonic_time(), <, wait_end); \
			g_usleep(50);                                         \
		}                                                             \
	} while (0)

/* A test that is a process of its own, since what it does cannot be undone:
 * g_test_add_data_func(path, body, in_child), where body() has no arguments. */
static inline void in_child(gconstpointer body)
{
	if (g_test_subprocess()) {
		((void (*)(void))body)();
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
}

/* A new directory; the caller frees the name. */
static inline char *directory_new(void)
{
	g_autoptr(GError) error = NULL;
	char *path = g_dir_make_tmp("unit-XXXXXX", &error);

	g_assert_no_error(error);
	return path;
}

/* Removes a directory and all that is in it. */
static inline void directory_remove(const char *path)
{
	g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
	const char *name;

	while (directory && (name = g_dir_read_name(directory))) {
		g_autofree char *entry = g_build_filename(path, name, NULL);

		if (g_file_test(entry, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(entry, G_FILE_TEST_IS_SYMLINK))
			directory_remove(entry);
		else
			g_assert_no_errno(unlink(entry));
	}
	g_assert_no_errno(rmdir(path));
}

static inline void file_write(const char *path, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_file_set_contents(path, text, -1, &error);
	g_assert_no_error(error);
}

static inline char *file_read(const char *path)
{
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	return text;
}

/* A descriptor to give away. *ret_witness, the caller's, tells whether anybody
 * still has it, whatever its number is used for meanwhile. */
static inline int descriptor_new(int *ret_witness)
{
	int ends[2];

	g_assert_no_errno(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	*ret_witness = ends[1];
	return ends[0];
}

static inline bool descriptor_is_closed(int witness)
{
	struct pollfd writer = { .fd = witness };

	g_assert_no_errno(poll(&writer, 1, 0));
	return writer.revents & POLLERR;
}

/* Open descriptors of this process. */
static inline unsigned int descriptor_count(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Any block device that can be opened, but this one: its node and number. */
static inline bool block_device_find(dev_t other, char *ret_path, size_t size,
				     dev_t *ret_number)
{
	g_autoptr(GDir) directory = g_dir_open("/dev", 0, NULL);
	const char *name;
	struct stat status;

	while (directory && (name = g_dir_read_name(directory))) {
		autofd fd = -1;

		g_snprintf(ret_path, size, "/dev/%s", name);
		if (stat(ret_path, &status) < 0 || !S_ISBLK(status.st_mode) ||
		    status.st_rdev == other)
			continue;
		fd = open(ret_path, O_RDWR | O_CLOEXEC);
		*ret_number = status.st_rdev;
		if (fd >= 0)
			return true;
	}
	return false;
}

static inline void assert_sense(const uint8_t *bytes, size_t size,
				ScsiSense expected)
{
	ScsiSense sense;

	g_assert_true(scsi_sense_get(bytes, size, &sense));
	g_assert_cmphex(sense.key, ==, expected.key);
	g_assert_cmphex(sense.asc, ==, expected.asc);
	g_assert_cmphex(sense.ascq, ==, expected.ascq);
}

#endif
