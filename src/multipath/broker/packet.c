/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

typedef union Control {
	char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
} Control;

bool packet_send(int socket, const void *data, size_t size, const int *fds,
		 size_t n_fds, int flags)
{
	Control control = { { 0 } };
	struct iovec bytes = { (void *)data, size };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	struct cmsghdr *header = &control.align;

	if (n_fds > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	return TEMP_FAILURE_RETRY(
		       sendmsg(socket, &message, flags | MSG_NOSIGNAL)) ==
	       (ssize_t)size;
}

static size_t take_fds(struct msghdr *message, int *ret_fds)
{
	size_t count = 0, size;
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET ||
		    header->cmsg_type != SCM_RIGHTS)
			continue;
		/* All fit, since the buffer has no room for more. */
		size = header->cmsg_len - CMSG_LEN(0);
		memcpy(ret_fds + count, CMSG_DATA(header), size);
		count += size / sizeof(int);
	}
	return count;
}

PacketResult packet_receive(int socket, void *ret_data, size_t size,
			    int ret_fds[PACKET_FDS_MAX], size_t *ret_n_fds)
{
	Control control;
	struct iovec bytes = { ret_data, size };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n =
		TEMP_FAILURE_RETRY(recvmsg(socket, &message, MSG_CMSG_CLOEXEC));

	*ret_n_fds = n < 0 ? 0 : take_fds(&message, ret_fds);
	if (n < 0 || (n == 0 && *ret_n_fds == 0))
		return PACKET_ENDED;
	if ((size_t)n == size &&
	    !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return PACKET_RECEIVED;
	while (*ret_n_fds > 0)
		fd_clear(&ret_fds[--*ret_n_fds]);
	return PACKET_WRONG;
}
