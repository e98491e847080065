/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One message of a SOCK_SEQPACKET socket, with descriptors: whole, of the
 * expected size, or not at all.
 */
#ifndef MULTIPATH_PACKET_H
#define MULTIPATH_PACKET_H

#include <stdbool.h>
#include <stddef.h>

/* Descriptors that one message may carry. */
#define PACKET_FDS_MAX 2

typedef enum PacketResult {
	PACKET_RECEIVED,
	PACKET_WRONG, /* another size, or too many descriptors */
	PACKET_ENDED, /* the other side has gone; or errno says what */
} PacketResult;

/* Sends `size` bytes and lends the descriptors. `flags`: 0, or MSG_DONTWAIT.
 * False with errno on failure. */
bool packet_send(int socket, const void *data, size_t size, const int *fds,
		 size_t n_fds, int flags);

/* Waits for a message. The caller owns the descriptors of one that is
 * RECEIVED (closed at exec); of any other none are left. */
PacketResult packet_receive(int socket, void *ret_data, size_t size,
			    int ret_fds[PACKET_FDS_MAX], size_t *ret_n_fds);

#endif
