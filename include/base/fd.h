/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of file descriptors: a descriptor has one owner, is moved with
 * fd_steal(), and closes by itself when an autofd variable leaves its scope.
 *
 * Descriptors that a client sent must not be closed here: closing them may
 * block (see closer.h).
 */
#ifndef FD_H
#define FD_H

#include <errno.h>
#include <unistd.h>

/* Closes *fd if it is open and sets it to -1; errno survives. */
static inline void fd_clear(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* The descriptor, which *fd owns no more. (GLib has this since 2.70.) */
static inline int fd_steal(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* Closes every descriptor from this number on. Allocates; for one thread. */
void fd_close_from(int first);

/* Of glibc only. */
#ifndef TEMP_FAILURE_RETRY
#define TEMP_FAILURE_RETRY(call)                              \
	__extension__({                                       \
		long failure_result;                          \
                                                              \
		do                                            \
			failure_result = (long)(call);        \
		while (failure_result < 0 && errno == EINTR); \
		failure_result;                               \
	})
#endif

#define autofd __attribute__((cleanup(fd_clear))) int

#endif
