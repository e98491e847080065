/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An open file description lock: it stays with the descriptor, and it also
 * keeps out instances of other programs that use fcntl() locks. The hard
 * rule: a file with anything else in it than a number is never overwritten.
 */
#include "process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "owner.h"

/* For another starter to finish. */
#define PIDFILE_LOCK_LIMIT_MS 1000

/* The process that has the file, for the message; 0 where it cannot be told.
 */
static int holder(int fd)
{
	char text[16] = "";
	int pid = 0;

	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		sscanf(text, "%d", &pid);
	return pid;
}

static void refuse_locked(int fd, const char *path, GError **error)
{
	error_set(
		error,
		"PID file '%s' is locked by a running instance (pid %d); stop "
		"that first, or choose another with -f",
		path, holder(fd));
}

static void refuse_unwritable(const char *path, GError **error)
{
	error_set(error,
		  "cannot write PID file '%s': %s; create its directory, start "
		  "as root, or choose another with -f",
		  path, g_strerror(errno));
}

static void refuse_content(const char *path, GError **error)
{
	error_set(error,
		  "'%s' does not look like a PID file; it was left alone, "
		  "choose another with -f",
		  path);
}

static bool lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

/* Of the lock that keeps us out. */
static short lock_type(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &whole) == 0 ? whole.l_type : F_UNLCK;
}

/* By an instance that may serve. A read lock is none: whoever can read the file
 * can keep one. */
static bool is_locked(int fd)
{
	return lock_type(fd) == F_WRLCK && !owner_is_killed(holder(fd));
}

/* A device node is never one: to root, -f /dev/null must do no harm. */
static bool holds_at_most_a_number(int fd)
{
	struct stat status;
	char text[32];
	ssize_t n;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	n = pread(fd, text, sizeof(text), 0);
	if (n < 0 || n == (ssize_t)sizeof(text))
		return false;
	for (ssize_t i = 0; i < n; i++)
		if (!g_ascii_isdigit(text[i]) && !g_ascii_isspace(text[i]))
			return false;
	return true;
}

static bool write_number(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

/* `errno` says why it could not be locked, or replaced. */
static void refuse_lock(int fd, const char *path, GError **error)
{
	if (is_locked(fd))
		refuse_locked(fd, path, error);
	else
		error_set(error,
			  "cannot lock PID file '%s': %s; choose another with "
			  "-f",
			  path, g_strerror(errno));
}

/* Removes the file where the lock on it is no instance's: a reader's, or a
 * process's that was killed. True: try again. */
static bool make_way(int fd, const char *path)
{
	if (is_locked(fd))
		return false;
	if (lock_type(fd) == F_UNLCK)
		return true;
	/* Another kind of lock keeps a second starter from removing the file
	 * that the first has made meanwhile. Whoever can read the file can keep
	 * that one, too, so we go on without it. */
	(void)owner_lock(fd, PIDFILE_LOCK_LIMIT_MS);
	if (is_locked(fd)) /* by one that was faster */
		return false;
	return !owner_is_same_file(fd, path, 0) || unlink(path) == 0;
}

bool pidfile_create(const char *path, PidFile *ret_file, GError **error)
{
	for (;;) {
		autofd fd = open(
			path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);

		if (fd < 0) {
			refuse_unwritable(path, error);
			return false;
		}
		if (!lock(fd)) {
			if ((errno == EAGAIN || errno == EACCES) &&
			    make_way(fd, path))
				continue;
			refuse_lock(fd, path, error);
			return false;
		}
		/* The last owner may have removed it while we waited. */
		if (!owner_is_same_file(fd, path, 0))
			continue;
		if (!holds_at_most_a_number(fd)) {
			refuse_content(path, error);
			return false;
		}
		if (!write_number(fd)) {
			refuse_unwritable(path, error);
			unlink(path);
			return false;
		}
		*ret_file = (PidFile) { .fd = fd_steal(&fd), .path = path };
		return true;
	}
}

static bool may_create(const char *path)
{
	g_autofree char *directory = g_path_get_dirname(path);

	return access(directory, W_OK | X_OK) == 0;
}

bool pidfile_check(const char *path, GError **error)
{
	autofd fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno != ENOENT || !may_create(path)))
		refuse_unwritable(path, error);
	else if (fd >= 0 && !holds_at_most_a_number(fd))
		refuse_content(path, error);
	else if (fd >= 0 && is_locked(fd))
		refuse_locked(fd, path, error);
	else
		return true;
	return false;
}

void pidfile_remove(PidFile *file)
{
	if (file->fd < 0)
		return;
	if (owner_is_same_file(file->fd, file->path, 0))
		unlink(file->path);
	/* It may have to stay, in a directory of root's; a number in it would
	 * one day be another process. */
	(void)!ftruncate(file->fd, 0);
	fd_clear(&file->fd);
}
