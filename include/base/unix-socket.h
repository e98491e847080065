/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting to a Unix socket within a time limit, and who is at its other
 * end. Both programs link this.
 */
#ifndef UNIX_SOCKET_H
#define UNIX_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct UnixAddress {
	struct sockaddr_un name;
	socklen_t length;
} UnixAddress;

/* The address of a file. False with errno: ENAMETOOLONG from 108 bytes on,
 * ENOENT if the path is empty. */
bool unix_address_of_path(const char *path, UnixAddress *ret_address);

/* The same, but a leading '@' stands for the NUL of the abstract namespace. */
bool unix_address_of_name(const char *name, UnixAddress *ret_address);

/* Connects `socket`. connect() waits while the listener's queue is full, so it
 * is limited to `deadline_us` (g_get_monotonic_time()); 0: no limit but that
 * of the socket, which may be non-blocking. False with errno: EAGAIN if the
 * queue stayed full, else connect()'s. The limit stays in effect for sending.
 */
bool unix_socket_connect(int socket, const UnixAddress *address,
			 int64_t deadline_us);

/* Who connected or, on the connecting side, called listen(). False if the
 * kernel does not say; then pid is 0, and uid and gid are -1. */
bool unix_socket_peer(int socket, struct ucred *ret_peer);

#endif
