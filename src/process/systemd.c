/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Twice the same. The hard rule: with and without libsystemd no answer differs.
 */
#include "systemd.h"

#ifdef HAVE_LIBSYSTEMD

#include <stddef.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

int systemd_listen_fds(void)
{
	return sd_listen_fds(1);
}

bool systemd_is_listening(int fd)
{
	return sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0;
}

uint64_t systemd_watchdog_us(void)
{
	uint64_t limit = 0;

	return sd_watchdog_enabled(0, &limit) > 0 ? limit : 0;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

/* False where the variable is not set, or is no number from 1 on. */
static bool number_of(const char *variable, guint64 max, guint64 *ret_number)
{
	const char *text = g_getenv(variable);

	return text &&
	       g_ascii_string_to_unsigned(text, 10, 1, max, ret_number, NULL);
}

static int set_close_on_exec(int end)
{
	for (int fd = SYSTEMD_LISTEN_FD; fd < end; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
			return -errno;
	}
	return end - SYSTEMD_LISTEN_FD;
}

static int passed_fds(void)
{
	guint64 pid, count;

	if (!g_getenv("LISTEN_PID"))
		return 0;
	if (!number_of("LISTEN_PID", G_MAXINT, &pid))
		return -EINVAL;
	if (pid != (guint64)getpid() || !g_getenv("LISTEN_FDS"))
		return 0;
	if (!number_of("LISTEN_FDS", G_MAXINT - SYSTEMD_LISTEN_FD, &count))
		return -EINVAL;
	return set_close_on_exec(SYSTEMD_LISTEN_FD + (int)count);
}

int systemd_listen_fds(void)
{
	int result = passed_fds();

	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	return result;
}

static bool option_is(int fd, int option, int expected)
{
	int found = -1;
	socklen_t size = sizeof(found);

	return getsockopt(fd, SOL_SOCKET, option, &found, &size) == 0 &&
	       found == expected;
}

bool systemd_is_listening(int fd)
{
	return option_is(fd, SO_DOMAIN, AF_UNIX) &&
	       option_is(fd, SO_TYPE, SOCK_STREAM) &&
	       option_is(fd, SO_ACCEPTCONN, 1);
}

uint64_t systemd_watchdog_us(void)
{
	guint64 limit, pid;

	if (!number_of("WATCHDOG_USEC", G_MAXUINT64 - 1, &limit))
		return 0;
	if (g_getenv("WATCHDOG_PID") &&
	    (!number_of("WATCHDOG_PID", G_MAXINT, &pid) ||
	     pid != (guint64)getpid()))
		return 0;
	return limit;
}

#endif
