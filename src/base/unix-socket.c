/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hard rule: no address is cut short, because a cut path names another
 * file.
 */
#include "base/unix-socket.h"

#include <errno.h>
#include <glib.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

bool unix_address_of_path(const char *path, UnixAddress *ret_address)
{
	UnixAddress address = { .name.sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(address.name.sun_path)) {
		errno = length ? ENAMETOOLONG : ENOENT;
		return false;
	}
	memcpy(address.name.sun_path, path, length);
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     length + 1);
	*ret_address = address;
	return true;
}

bool unix_address_of_name(const char *name, UnixAddress *ret_address)
{
	if (!unix_address_of_path(name, ret_address))
		return false;
	if (name[0] == '@') {
		ret_address->name.sun_path[0] = '\0';
		/* Every byte counts in an abstract name, and the NUL at the
		 * end is none of it. */
		ret_address->length--;
	}
	return true;
}

static bool unix_socket_limit(int socket, int64_t deadline_us)
{
	/* None at all would be no limit. */
	int64_t left_us = MAX(1, deadline_us - g_get_monotonic_time());
	struct timeval limit = { left_us / G_USEC_PER_SEC,
				 left_us % G_USEC_PER_SEC };

	return setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit,
			  sizeof(limit)) == 0;
}

bool unix_socket_connect(int socket, const UnixAddress *address,
			 int64_t deadline_us)
{
	int result;

	do {
		if (deadline_us && !unix_socket_limit(socket, deadline_us))
			return false;
		result =
			connect(socket, (const struct sockaddr *)&address->name,
				address->length);
	} while (result < 0 && errno == EINTR);
	return result == 0;
}

bool unix_socket_peer(int socket, struct ucred *ret_peer)
{
	struct ucred peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	socklen_t length = sizeof(peer);
	bool known = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer,
				&length) == 0;

	*ret_peer = peer;
	return known;
}
