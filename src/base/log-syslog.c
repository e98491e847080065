/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spoken here and not by syslog(3), because that one waits for a syslogd that
 * does not read, and other threads then wait for its lock. The hard rule: under
 * our lock no system call can wait.
 */
#include "log-syslog.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/unix-socket.h"

#define FACILITY_DAEMON (3 << 3)

/* "<30>Nov 28 09:00:00 qemu-pr-helper[4194304]: " and the end */
#define AROUND 64

/* The one of the process. */
static struct {
	pthread_mutex_t lock;
	const char *path;
	int fd;    /* connected and non-blocking, or -1 */
	bool ends; /* a stream: each message ends with a NUL */
} connection = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static bool connect_as(int kind)
{
	UnixAddress address;
	autofd fd = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !unix_address_of_path(connection.path, &address) ||
	    !unix_socket_connect(fd, &address, 0))
		return false;
	fd_clear(&connection.fd);
	connection.fd = fd_steal(&fd);
	connection.ends = kind == SOCK_STREAM;
	return true;
}

/* Most listen for datagrams; the kernel says of the others that they do not. */
static bool reconnect(void)
{
	return connection.path &&
	       (connect_as(SOCK_DGRAM) ||
		(errno == EPROTOTYPE && connect_as(SOCK_STREAM)));
}

static bool log_syslog_is_full(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}

/* A connection that is of no use any more is closed. */
static bool send_once(const char *text, size_t length)
{
	size_t whole = length + connection.ends;
	ssize_t n;

	if (connection.fd < 0)
		return false;
	n = send(connection.fd, text, whole, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == (ssize_t)whole)
		return true;
	/* Half a message in a stream would become one with the next. */
	if (n >= 0 || !log_syslog_is_full(errno))
		fd_clear(&connection.fd);
	return false;
}

static size_t write_down(char *text, size_t size, int severity,
			 const char *message)
{
	char stamp[32] = "";
	time_t now = time(NULL);
	struct tm local;
	int length;

	/* In English always, as nobody calls setlocale(). */
	if (localtime_r(&now, &local))
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &local);
	length = snprintf(text, size, "<%d>%s " LOG_IDENTIFIER "[%d]: %s",
			  FACILITY_DAEMON | severity, stamp, (int)getpid(),
			  message);
	return MIN((size_t)length, size - 1);
}

void log_syslog_open(const char *path)
{
	/* So that no later message reads the time zone's file. */
	tzset();
	pthread_mutex_lock(&connection.lock);
	fd_clear(&connection.fd);
	connection.path = path;
	reconnect();
	pthread_mutex_unlock(&connection.lock);
}

bool log_syslog_is_connected(void)
{
	bool connected;

	pthread_mutex_lock(&connection.lock);
	connected = connection.fd >= 0;
	pthread_mutex_unlock(&connection.lock);
	return connected;
}

bool log_syslog_send(int severity, const char *message)
{
	char text[LOG_MESSAGE_MAX + AROUND];
	size_t length = write_down(text, sizeof(text), severity, message);
	bool sent;

	pthread_mutex_lock(&connection.lock);
	sent = send_once(text, length) ||
	       (connection.fd < 0 && reconnect() && send_once(text, length));
	pthread_mutex_unlock(&connection.lock);
	return sent;
}
