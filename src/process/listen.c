/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binding without a gap: under a temporary name, then renamed, while a lock
 * file keeps a second starter of the same socket out. Runs once, before any
 * thread exists, so it may change the working directory for a moment: names
 * relative to the socket's directory are not limited by sun_path's 108 bytes.
 */
#include "process/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "owner.h"
#include "systemd.h"

/* Bursts of connects must not fail; the kernel cuts it to somaxconn. */
#define BACKLOG 4096

/* How long to wait for another starter to finish: signals are blocked, so a
 * lock that somebody keeps must not hold us for good. */
#define LISTEN_LOCK_LIMIT_MS 3000

static bool set_nonblocking(int fd, GError **error)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0)
		return true;
	error_set_errno(error, "cannot use the listening socket");
	return false;
}

/* Variables that are there and say nothing, as a script or a container that
 * passes on what it may not have sets them. */
static bool is_activated(void)
{
	const char *count = g_getenv("LISTEN_FDS");
	const char *pid = g_getenv("LISTEN_PID");

	return count && pid && *count && *pid && strcmp(count, "0") != 0;
}

bool listen_activated(ListenSocket *ret_socket, GError **error)
{
	int count = is_activated() ? systemd_listen_fds() : 0;
	int fd = SYSTEMD_LISTEN_FD;

	*ret_socket = (ListenSocket) { .fd = -1 };
	if (count == 0)
		return true;
	if (count < 0) {
		error_set(error,
			  "LISTEN_FDS and LISTEN_PID, as socket activation "
			  "sets them, cannot be used: %s",
			  strerror(-count));
		return false;
	}
	if (count > 1) {
		error_set(error,
			  "socket activation has passed %d sockets, but "
			  "exactly one socket can be served; leave one "
			  "ListenStream= in the socket unit",
			  count);
		return false;
	}
	if (!systemd_is_listening(fd)) {
		error_set(error, "the descriptor passed by socket activation "
				 "is not a listening Unix stream socket; set "
				 "ListenStream= to a path in the socket unit");
		return false;
	}
	ret_socket->fd = fd;
	return set_nonblocking(fd, error);
}

/* The socket's directory as working directory, and the way back. */
static bool enter_directory(const char *path, int *ret_back, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(path);
	autofd back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (back >= 0 && chdir(directory) == 0) {
		*ret_back = fd_steal(&back);
		return true;
	}
	error_set(error,
		  "cannot enter the socket's directory '%s': %s; create it, or "
		  "choose another path with -k",
		  directory, g_strerror(errno));
	return false;
}

/* The file goes away again, so the lock counts only where the name still
 * belongs to the file that was locked. */
static int take_lock(const char *name, const char *path, GError **error)
{
	for (;;) {
		autofd fd = open(
			name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0 || !owner_lock(fd, LISTEN_LOCK_LIMIT_MS)) {
			error_set_errno(error,
					"cannot lock '%s' beside socket '%s'",
					name, path);
			return -1;
		}
		if (owner_is_same_file(fd, name, AT_SYMLINK_NOFOLLOW))
			return fd_steal(&fd);
	}
}

static int listen_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether somebody listens; a full backlog (EAGAIN) means that, too. Its owner
 * may just have removed it, or have been killed without its socket going. */
static bool is_live(const char *name)
{
	UnixAddress address;
	autofd fd = listen_socket();
	struct ucred peer;

	if (!unix_address_of_path(name, &address) ||
	    !unix_socket_connect(fd, &address, 0))
		return errno != ECONNREFUSED && errno != ENOENT;
	unix_socket_peer(fd, &peer);
	return !owner_is_killed(peer.pid);
}

static bool may_replace(const char *name, const char *path, GError **error)
{
	struct stat status;

	if (lstat(name, &status) < 0) {
		if (errno == ENOENT)
			return true;
		error_set_errno(error, "cannot examine '%s'", path);
		return false;
	}
	if (!S_ISSOCK(status.st_mode)) {
		error_set(error,
			  "'%s' exists and is not a socket; it was left alone, "
			  "choose another path with -k",
			  path);
		return false;
	}
	if (is_live(name)) {
		error_set(error,
			  "another process serves '%s'; stop it first, or "
			  "choose another path with -k",
			  path);
		return false;
	}
	return true;
}

/* The mode belongs to the socket before it has a name, so that no name has to
 * be followed: others may be able to write to the directory. */
static bool bind_with_mode(int fd, const char *name, mode_t mode)
{
	UnixAddress address;
	mode_t mask;
	int result;

	if (!unix_address_of_path(name, &address))
		return false;
	if (mode == (mode_t)-1)
		return bind(fd, (struct sockaddr *)&address.name,
			    address.length) == 0;
	if (fchmod(fd, mode) < 0)
		return false;
	mask = umask(0);
	result = bind(fd, (struct sockaddr *)&address.name, address.length);
	umask(mask);
	return result == 0;
}

static bool remember(ListenSocket *sock, const char *name)
{
	struct stat status;

	if (lstat(name, &status) < 0)
		return false;
	sock->device = status.st_dev;
	sock->inode = status.st_ino;
	return true;
}

static bool bind_and_rename(const ListenOptions *options, const char *temporary,
			    const char *name, ListenSocket *ret_socket)
{
	autofd fd = listen_socket();
	int saved;

	if (fd < 0 || !bind_with_mode(fd, temporary, options->mode))
		return false;
	if (lchown(temporary, options->owner, options->group) == 0 &&
	    listen(fd, BACKLOG) == 0 && remember(ret_socket, temporary) &&
	    rename(temporary, name) == 0) {
		ret_socket->fd = fd_steal(&fd);
		ret_socket->path = options->path;
		return true;
	}
	saved = errno;
	unlink(temporary);
	errno = saved;
	return false;
}

static bool bind_in_directory(const ListenOptions *options,
			      ListenSocket *ret_socket, GError **error)
{
	g_autofree char *name = g_path_get_basename(options->path);
	g_autofree char *lock_name = g_strdup_printf(".%s.lock", name);
	char temporary[32];
	autofd lock = take_lock(lock_name, options->path, error);
	bool ok;

	if (lock < 0)
		return false;
	/* Not to be guessed, nor left by a process with our number. */
	snprintf(temporary, sizeof(temporary), ".pr-helper.%08x%08x",
		 g_random_int(), g_random_int());
	ok = may_replace(name, options->path, error);
	if (ok && !bind_and_rename(options, temporary, name, ret_socket)) {
		error_set_errno(error, "cannot listen on '%s'", options->path);
		ok = false;
	}
	unlink(lock_name);
	return ok;
}

bool listen_bind(const ListenOptions *options, ListenSocket *ret_socket,
		 GError **error)
{
	autofd back = -1;
	bool ok;

	*ret_socket = (ListenSocket) { .fd = -1 };
	/* A longer path could be bound, but no client could connect to it. */
	if (strlen(options->path) >=
	    sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		error_set(error,
			  "socket path '%s' is longer than the %zu bytes that "
			  "Unix sockets allow",
			  options->path,
			  sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		return false;
	}
	if (g_str_has_suffix(options->path, "/")) {
		error_set(error, "socket path '%s' names a directory",
			  options->path);
		return false;
	}
	if (!enter_directory(options->path, &back, error))
		return false;
	ok = bind_in_directory(options, ret_socket, error);
	if (fchdir(back) < 0 && ok) {
		error_set_errno(error, "cannot return to the directory that "
				       "the helper was started in");
		listen_unlink(ret_socket);
		return false;
	}
	return ok;
}

void listen_unlink(const ListenSocket *sock)
{
	struct stat status;

	if (!sock->path)
		return;
	/* Where the name has to stay, nobody connects in vain. */
	shutdown(sock->fd, SHUT_RDWR);
	if (lstat(sock->path, &status) == 0 && status.st_dev == sock->device &&
	    status.st_ino == sock->inode)
		unlink(sock->path);
}
