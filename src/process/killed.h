/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that were killed and are still there: a thread that waits in the
 * kernel for a dead disk keeps the process's sockets and locks open, although
 * no instruction of it will ever run again.
 */
#ifndef KILLED_H
#define KILLED_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether /proc proves it. False also where it cannot be told. */
bool killed_is(pid_t pid);

#endif
