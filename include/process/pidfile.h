/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PID file: locked for as long as the process serves, so that a second
 * instance with the same file cannot start.
 */
#ifndef PIDFILE_H
#define PIDFILE_H

#include <glib.h>
#include <stdbool.h>

typedef struct PidFile {
	int fd; /* holds the lock; -1: none */
	const char *path;
} PidFile;

#define PID_FILE_NONE ((PidFile) { .fd = -1 })

/* Creates or takes over the file and writes our number into it; borrows the
 * path. False with *error set where another process holds it, it cannot be
 * written, or it contains something that is not a process number. */
bool pidfile_create(const char *path, PidFile *ret_file, GError **error);

/* Whether pidfile_create() would succeed now; changes nothing. */
bool pidfile_check(const char *path, GError **error);

/* Removes the file if it is still ours, empties it where it has to stay, and
 * gives up the lock. */
void pidfile_remove(PidFile *file);

#endif
