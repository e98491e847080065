/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proof that a process was killed is a main thread that has ended, and another
 * one that has SIGKILL pending: nothing can take that back.
 */

#include "owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* More than a thread's status file has. */
#define STATUS_SIZE 4096

#define OWNER_PAUSE_MS 10 /* between two tries */

bool owner_lock(int fd, unsigned int timeout_ms)
{
	unsigned int waited_ms;

	for (waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;
	     waited_ms += OWNER_PAUSE_MS) {
		if (errno != EWOULDBLOCK || waited_ms >= timeout_ms)
			return false;
		g_usleep((gulong)OWNER_PAUSE_MS * 1000);
	}
	return true;
}

bool owner_is_same_file(int fd, const char *path, int flags)
{
	struct stat open_file, named_file;

	return fstat(fd, &open_file) == 0 &&
	       fstatat(AT_FDCWD, path, &named_file, flags) == 0 &&
	       open_file.st_dev == named_file.st_dev &&
	       open_file.st_ino == named_file.st_ino;
}

static bool owner_status(const char *path, char ret_text[STATUS_SIZE])
{
	autofd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, STATUS_SIZE - 1);

	ret_text[MAX(n, 0)] = '\0';
	return n > 0;
}

static bool owner_has_ended(const char *status)
{
	const char *state = strstr(status, "\nState:\t");

	return state && state[strlen("\nState:\t")] == 'Z';
}

static bool owner_has_sigkill(const char *status)
{
	const char *pending = strstr(status, "\nSigPnd:\t");
	uint64_t signals = 0;

	return pending &&
	       sscanf(pending, "\nSigPnd:\t%" SCNx64, &signals) == 1 &&
	       (signals >> (SIGKILL - 1) & 1);
}

static bool owner_has_dying_thread(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	const struct dirent *entry;
	bool found = false;

	while (threads && !found && (entry = readdir(threads))) {
		g_autofree char *name =
			g_strdup_printf("%s/%s/status", path, entry->d_name);
		char status[STATUS_SIZE];

		found = owner_status(name, status) && owner_has_sigkill(status);
	}
	if (threads)
		closedir(threads);
	return found;
}

bool owner_is_killed(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
	char status[STATUS_SIZE];

	return pid > 0 && owner_status(path, status) &&
	       owner_has_ended(status) && owner_has_dying_thread(pid);
}
