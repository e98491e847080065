/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proof is a main thread that has ended, and another one that has SIGKILL
 * pending: nothing can take that back.
 */
#include "killed.h"

#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* More than a thread's status file has. */
#define STATUS_SIZE 4096

static bool status_read(const char *path, char ret_text[STATUS_SIZE])
{
	autofd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, STATUS_SIZE - 1);

	ret_text[MAX(n, 0)] = '\0';
	return n > 0;
}

static bool has_ended(const char *status)
{
	const char *state = strstr(status, "\nState:\t");

	return state && state[strlen("\nState:\t")] == 'Z';
}

static bool has_sigkill_pending(const char *status)
{
	const char *pending = strstr(status, "\nSigPnd:\t");
	uint64_t signals = 0;

	return pending &&
	       sscanf(pending, "\nSigPnd:\t%" SCNx64, &signals) == 1 &&
	       (signals >> (SIGKILL - 1) & 1);
}

static bool some_thread_is_dying(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	const struct dirent *entry;
	bool found = false;

	while (threads && !found && (entry = readdir(threads))) {
		g_autofree char *name =
			g_strdup_printf("%s/%s/status", path, entry->d_name);
		char status[STATUS_SIZE];

		found = status_read(name, status) &&
			has_sigkill_pending(status);
	}
	if (threads)
		closedir(threads);
	return found;
}

bool killed_is(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
	char status[STATUS_SIZE];

	return pid > 0 && status_read(path, status) && has_ended(status) &&
	       some_thread_is_dying(pid);
}
