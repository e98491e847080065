/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "file-lock.h"

#include <errno.h>
#include <glib.h>
#include <sys/file.h>

#define PAUSE 10 /* between two tries, in milliseconds */

bool file_lock(int fd, unsigned int milliseconds)
{
	unsigned int waited;

	for (waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += PAUSE) {
		if (errno != EWOULDBLOCK || waited >= milliseconds)
			return false;
		g_usleep((gulong)PAUSE * 1000);
	}
	return true;
}
