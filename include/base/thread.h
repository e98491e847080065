/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which kind of thread is running: the one with the main loop, or one that may
 * block. For assertions only; no behaviour may depend on it.
 */
#ifndef THREAD_H
#define THREAD_H

#include <stdbool.h>

/* The first act of every thread that is started for work that may block. A
 * thread is the main one until it calls this. */
void thread_mark_worker(void);

/* Any thread; reads one thread-local flag. */
bool thread_is_main(void);

#endif
