/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end of a client's socket, for the log: the operator
 * wants to know which virtual machine it was.
 */
#ifndef PEER_H
#define PEER_H

#include <sys/types.h>

typedef struct Peer {
	pid_t pid; /* when it connected; 0 where the kernel did not say */
	uid_t uid;
	gid_t gid;
	char comm[16]; /* the process's name, "?" where /proc hides it */
} Peer;

/* Never fails: what cannot be told is left at 0, -1 or "?". Does not block:
 * SO_PEERCRED and /proc/PID/comm are answered from the kernel's memory. */
void peer_get(int socket, Peer *ret_peer);

#endif
