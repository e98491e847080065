/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing what a client can make slow to close: the descriptors that it sent
 * (a TCP socket with SO_LINGER, a file of a FUSE file system), and its own
 * socket, in which such descriptors may still wait unread. On threads of its
 * own, at most CLOSER_THREADS of which can be stuck so.
 */
#ifndef CLOSER_H
#define CLOSER_H

#include <glib.h>

#include "threads/thread-pool.h"

#define CLOSER_THREADS 16

/* Takes and clears *fd; a negative one is ignored. Any thread; never blocks.
 */
void closer_close(ThreadPool *pool, int *fd);

/* The same for a client's socket, which is shut down first, so that the client
 * learns it at once. One with nothing unread in it does not wait behind what
 * hostile clients have sent: others come and go although that is stuck. */
void closer_close_socket(ThreadPool *pool, int *fd);

/* The same for our listening socket, which waits behind nothing. */
void closer_close_listener(ThreadPool *pool, int *fd);

/* Descriptors that wait to be closed or are being closed. */
unsigned int closer_pending(void);

/* Those of them that are clients' sockets. */
unsigned int closer_pending_sockets(void);

/* Waits until nothing is pending, at most so many milliseconds. */
void closer_wait(unsigned int patience_ms);

#endif
