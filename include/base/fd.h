/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of file descriptors: a descriptor has one owner, is moved with
 * g_steal_fd(), and closes by itself when an autofd variable leaves its scope.
 *
 * Descriptors that a client sent must not be closed here: closing them may
 * block (see disposal.h).
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

#define autofd __attribute__((cleanup(fd_clear))) int

#endif
