/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that others left us, or did not. The hard rule: none that was
 * inherited is ever closed; libvirt keeps a lock on one of them.
 */
#include "process/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

/* In ascending order, so that open() takes the number that is free. What is
 * printed on a standard output that was closed is an error, as it is lost. */
void descriptors_fill_standard(void)
{
	static const int modes[] = {
		[STDIN_FILENO] = O_RDWR,
		[STDOUT_FILENO] = O_RDONLY,
		[STDERR_FILENO] = O_RDWR,
	};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", modes[fd]);
}

unsigned int descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t soft = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			limit.rlim_cur = soft;
	}
	return limit.rlim_cur < UINT_MAX ? (unsigned int)limit.rlim_cur
					 : UINT_MAX;
}

unsigned int descriptors_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	if (!directory)
		return 0;
	while (readdir(directory))
		count++;
	closedir(directory);
	/* "." and "..", and the directory itself. */
	return count - 3;
}
