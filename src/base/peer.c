/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The credentials that the kernel noted when the client connected. They are
 * for the log only: no decision of the helper depends on them.
 */
#include "base/peer.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/unix-socket.h"

static void peer_comm(pid_t pid, char *ret_comm, size_t size)
{
	char path[32];
	ssize_t n = 0;
	autofd fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, ret_comm, size - 1);
	if (n <= 0)
		ret_comm[0] = '?';
	ret_comm[MAX(n, 1)] = '\0';
	ret_comm[strcspn(ret_comm, "\n")] = '\0';
}

void peer_get(int socket, Peer *ret_peer)
{
	struct ucred credentials;

	unix_socket_peer(socket, &credentials);
	*ret_peer = (Peer) {
		.pid = credentials.pid,
		.uid = credentials.uid,
		.gid = credentials.gid,
	};
	peer_comm(credentials.pid, ret_peer->comm, sizeof(ret_peer->comm));
}
