/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has the socket, and whom its permissions let in.
 */
#include "check/check.h"

#include <errno.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/peer.h"
#include "base/unix-socket.h"
#include "report.h"
#include "scsi/wire.h"

/* For the one who serves to say the first word, in seconds. */
#define CHECK_SOCKET_LIMIT_S 5

static char *user_name(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? g_strdup(user->pw_name) : g_strdup_printf("%u", uid);
}

static char *group_name(gid_t gid)
{
	const struct group *group = getgrgid(gid);

	return group ? g_strdup(group->gr_name) : g_strdup_printf("%u", gid);
}

/* To connect is to write, as the kernel sees it. */
static char *who_may_connect(const struct stat *status)
{
	g_autofree char *user = user_name(status->st_uid);
	g_autofree char *group = group_name(status->st_gid);
	const char *who = status->st_mode & S_IWGRP ? " and the group " : "";

	if (status->st_mode & S_IWOTH)
		return g_strdup("everybody");
	return g_strconcat("root", strcmp(user, "root") ? ", " : "",
			   strcmp(user, "root") ? user : "", who,
			   who[0] ? group : "", NULL);
}

static int connect_to(const char *path)
{
	struct timeval limit = { .tv_sec = CHECK_SOCKET_LIMIT_S };
	gint64 deadline_us = g_get_monotonic_time() +
			     (gint64)CHECK_SOCKET_LIMIT_S * G_USEC_PER_SEC;
	UnixAddress address;
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!unix_address_of_path(path, &address) ||
	    !unix_socket_connect(fd, &address, deadline_us))
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd_steal(&fd);
}

static void check_served(Check *check, const struct stat *status, int socket)
{
	const char *path = check->options->socket_path;
	g_autofree char *who = who_may_connect(status);
	uint8_t features[WIRE_FEATURES_SIZE];
	Peer peer;

	peer_get(socket, &peer);
	if (recv(socket, features, sizeof(features), MSG_WAITALL) !=
	    sizeof(features))
		check_fix(check,
			  "socket %s: process %d (%s) does not answer there; "
			  "see its log, restart it",
			  path, (int)peer.pid, peer.comm);
	else
		check_ok("socket %s: served by process %d (%s) of user %u; "
			 "mode %03o, so %s may connect",
			 path, (int)peer.pid, peer.comm, peer.uid,
			 status->st_mode & 07777u, who);
}

static void check_unserved(Check *check)
{
	const char *path = check->options->socket_path;

	if (errno == ECONNREFUSED)
		check_ok("socket %s: left by a dead process; the next start "
			 "takes it over",
			 path);
	else if (errno == EACCES)
		check_fix(check,
			  "socket %s: you may not connect, and who runs QEMU "
			  "has to; --socket-mode=, --socket-group= or "
			  "SocketGroup= in the socket unit lets a group in",
			  path);
	else
		check_fix(check,
			  "socket %s: cannot connect: %s; restart who "
			  "serves it",
			  path, strerror(errno));
}

static void check_free(Check *check)
{
	const char *path = check->options->socket_path;
	g_autofree char *directory = g_path_get_dirname(path);

	if (access(directory, W_OK | X_OK) == 0)
		check_ok("socket %s: free", path);
	else
		check_fix(check,
			  "socket %s: '%s' cannot be written to: %s; create "
			  "it, start as root, or choose another with -k",
			  path, directory, strerror(errno));
}

void check_socket(Check *check)
{
	const char *path = check->options->socket_path;
	struct stat status;
	autofd socket = -1;

	if (lstat(path, &status) < 0) {
		check_free(check);
	} else if (!S_ISSOCK(status.st_mode)) {
		check_fix(check,
			  "socket %s: exists and is not a socket; it was left "
			  "alone, choose another path with -k",
			  path);
	} else {
		socket = connect_to(path);
		if (socket >= 0)
			check_served(check, &status, socket);
		else
			check_unserved(check);
	}
}
