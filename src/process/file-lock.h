/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flock() lock of an open file. Who else has it may keep it, so nobody
 * waits for it for ever.
 */
#ifndef FILE_LOCK_H
#define FILE_LOCK_H

#include <stdbool.h>

/* Tries for so many milliseconds; at least once. False with errno set,
 * EWOULDBLOCK where somebody else has it. Blocks: at the start only. */
bool file_lock(int fd, unsigned int milliseconds);

#endif
