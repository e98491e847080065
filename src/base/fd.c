/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * closefrom() for C libraries that lack it (glibc before 2.34, musl), on
 * kernels that lack close_range() (before 5.9), and without /proc. The hard
 * rule: what the running kernel has is asked of it, not of the headers.
 */
#include "base/fd.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static bool close_range_from(int first)
{
#ifdef __NR_close_range
	return syscall(__NR_close_range, first, UINT_MAX, 0) == 0;
#else
	(void)first;
	return false;
#endif
}

/* Those that /proc lists. The directory's own descriptor is the last to go. */
static bool close_listed_from(int first)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!directory)
		return false;
	while ((entry = readdir(directory))) {
		int fd = atoi(entry->d_name); /* "." and "..": 0 */

		if (fd >= first && fd != dirfd(directory))
			close(fd);
	}
	closedir(directory);
	return true;
}

static void close_possible_from(int first)
{
	struct rlimit limit;
	int end = INT_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX)
		end = (int)limit.rlim_cur;
	for (int fd = first; fd < end; fd++)
		close(fd);
}

void fd_close_from(int first)
{
	if (!close_range_from(first) && !close_listed_from(first))
		close_possible_from(first);
}
