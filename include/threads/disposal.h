/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing what a client can make slow to close: the descriptors that it sent
 * (a TCP socket with SO_LINGER, a file of a FUSE file system), and its own
 * socket, in which such descriptors may still wait unread. On threads of its
 * own, at most DISPOSAL_THREADS of which can be stuck so.
 */
#ifndef DISPOSAL_H
#define DISPOSAL_H

#include <glib.h>

#include "threads/lanes.h"

#define DISPOSAL_THREADS 16

/* Takes and clears *fd; a negative one is ignored. Any thread; never blocks.
 */
void disposal_close(Lanes *lanes, int *fd);

/* The same for a client's socket, which is shut down first, so that the client
 * learns it at once. One with nothing unread in it does not wait behind what
 * hostile clients have sent: others come and go although that is stuck. */
void disposal_close_socket(Lanes *lanes, int *fd);

/* The same for our listening socket, which waits behind nothing. */
void disposal_close_listener(Lanes *lanes, int *fd);

/* Descriptors that wait to be closed or are being closed. */
unsigned int disposal_pending(void);

/* Those of them that are clients' sockets. */
unsigned int disposal_pending_sockets(void);

/* Waits until nothing is pending, at most so many milliseconds. */
void disposal_wait(unsigned int milliseconds);

#endif
