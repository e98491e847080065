/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the listening socket comes from: systemd, or a path that we bind.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct ListenSocket {
	int fd;           /* non-blocking; -1: none */
	const char *path; /* what we bound, or NULL; borrowed */
	dev_t device;     /* which file that is, to tell it from a */
	ino_t inode;      /* successor's of the same name */
} ListenSocket;

typedef struct ListenOptions {
	const char *path;
	mode_t mode; /* or (mode_t)-1: as the umask has it */
	uid_t owner; /* or -1 */
	gid_t group; /* or -1 */
} ListenOptions;

/* Takes the socket that systemd passed (LISTEN_FDS), before any fork. True
 * with ret_socket->fd -1 if it passed none, also if it says so (0, or nothing).
 * False with *error set where what it passed is not exactly one listening Unix
 * stream socket. */
bool listen_activated(ListenSocket *ret_socket, GError **error);

/* Binds and listens. The path appears only when connecting to it works, with
 * its final owner and mode. A stale socket of that name is replaced, a live
 * one and any other kind of file are not: false with *error set. */
bool listen_bind(const ListenOptions *options, ListenSocket *ret_socket,
		 GError **error);

/* If we bound the path: nobody can connect any more, and it is removed, if it
 * is still ours; failing to is no error. Does not close the socket. */
void listen_unlink(const ListenSocket *socket);

#endif
