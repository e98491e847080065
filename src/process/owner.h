/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose a file is: who has its lock, whether its name still means it, and
 * whether the process that has it was killed. A thread that waits in the kernel
 * for a dead disk keeps the sockets and locks of its process, although no
 * instruction of it will ever run again.
 */
#ifndef PROCESS_OWNER_H
#define PROCESS_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

/* Takes the flock() lock of an open file. Tries for so many milliseconds, at
 * least once: another process may never let go. False with errno set,
 * EWOULDBLOCK if another has it. Blocks: at the start only. */
bool owner_lock(int fd, unsigned int timeout_ms);

/* Whether `path` names this open file. `flags`: 0, or AT_SYMLINK_NOFOLLOW if a
 * symbolic link to it does not count. */
bool owner_is_same_file(int fd, const char *path, int flags);

/* Whether /proc proves that the process was killed. False also if nothing can
 * be learnt of it. */
bool owner_is_killed(pid_t pid);

#endif
