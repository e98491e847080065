/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to the journal's socket, to a syslogd or to stderr, each with one
 * non-blocking system call. The journal's native protocol is spoken here, and
 * not by sd_journal_sendv(), because that one waits when journald is stuck.
 */
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/plural.h"
#include "log-syslog.h"

#define SYSLOG "/dev/log"

static const struct sockaddr_un journal_address = {
	.sun_family = AF_UNIX,
	.sun_path = "/run/systemd/journal/socket",
};

static LogLevel max_level = LOG_LEVEL_INFO;
static LogTarget sink = LOG_TARGET_STDERR; /* never LOG_TARGET_AUTO */
static int journal = -1;                   /* a datagram socket, or -1 */
static bool stderr_is_socket, stderr_is_journal;
static int output = STDERR_FILENO; /* or the same, opened by us */
static atomic_uint dropped;

static bool journal_is_reachable(void)
{
	return access(journal_address.sun_path, W_OK) == 0;
}

/* Where to log in the background, where nobody reads stderr. */
static LogTarget background_target(void)
{
	return journal_is_reachable() ? LOG_TARGET_JOURNAL : LOG_TARGET_SYSLOG;
}

/* The table of cases, docs/LOGGING.md. */
static LogTarget choose(bool detached)
{
	struct stat status;

	if (detached || fstat(STDERR_FILENO, &status) < 0)
		return background_target();
	/* systemd and libvirt have a journal; a container's runtime reads. */
	if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
		return journal_is_reachable() ? LOG_TARGET_JOURNAL
					      : LOG_TARGET_STDERR;
	if (S_ISCHR(status.st_mode) && !isatty(STDERR_FILENO))
		return background_target();
	return LOG_TARGET_STDERR;
}

/* systemd says so, by the file's numbers, sd_journal_stream_fd(3). */
static bool is_journal_stream(const struct stat *status)
{
	g_autofree char *numbers =
		g_strdup_printf("%ju:%ju", (uintmax_t)status->st_dev,
				(uintmax_t)status->st_ino);

	return g_strcmp0(g_getenv("JOURNAL_STREAM"), numbers) == 0;
}

static void glib_handler(const char *domain, GLogLevelFlags flags,
			 const char *message, gpointer data)
{
	(void)data;
	log_message(flags & G_LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR
					      : LOG_LEVEL_WARNING,
		    "%s: %s", domain ? domain : "GLib", message);
}

/* A write must not wait even where another writer was faster than our poll().
 * O_NONBLOCK belongs to the open file, which whoever started us shares, so it
 * is set on an open file of our own. -d keeps none: stderr has to end. */
static void open_output(const struct stat *status, bool detached)
{
	int fd = -1;

	if (!detached && (S_ISFIFO(status->st_mode) || isatty(STDERR_FILENO)))
		fd = open("/proc/self/fd/2",
			  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (output != STDERR_FILENO)
		fd_clear(&output);
	output = fd >= 0 ? fd : STDERR_FILENO;
}

void log_init(LogTarget target, bool detached)
{
	struct stat status = { 0 };

	g_log_set_default_handler(glib_handler, NULL);
	stderr_is_socket =
		fstat(STDERR_FILENO, &status) == 0 && S_ISSOCK(status.st_mode);
	stderr_is_journal = is_journal_stream(&status);
	open_output(&status, detached);
	sink = target == LOG_TARGET_AUTO ? choose(detached) : target;
	fd_clear(&journal);
	if (sink == LOG_TARGET_JOURNAL)
		journal = socket(AF_UNIX,
				 SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	else if (sink == LOG_TARGET_SYSLOG)
		log_syslog_open(SYSLOG);
}

void log_set_level(LogLevel level)
{
	max_level = level;
}

bool log_wants(LogLevel level)
{
	return level <= max_level;
}

static bool send_to_journal(const char *datagram, size_t length)
{
	return sendto(journal, datagram, length, MSG_NOSIGNAL | MSG_DONTWAIT,
		      (const struct sockaddr *)&journal_address,
		      sizeof(journal_address)) >= 0;
}

static bool write_line(const char *line, size_t length)
{
	struct pollfd room = { .fd = output, .events = POLLOUT };

	if (stderr_is_socket)
		return send(STDERR_FILENO, line, length,
			    MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	/* A pipe or terminal that polls writable takes a line at once. */
	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT))
		return false;
	return write(output, line, length) >= 0;
}

static bool emit_line(const char *message)
{
	g_autofree char *line =
		g_strdup_printf(LOG_IDENTIFIER ": %s\n", message);

	return write_line(line, strlen(line));
}

static bool emit_record(LogLevel level, const char *const *fields,
			const char *message)
{
	g_autoptr(GString) text = g_string_sized_new(512);

	g_string_printf(text,
			"PRIORITY=%d\nSYSLOG_IDENTIFIER=" LOG_IDENTIFIER "\n"
			"MESSAGE=%s\n",
			(int)level, message);
	for (; fields && *fields; fields++)
		g_string_append_printf(text, "%s\n", *fields);
	return send_to_journal(text->str, text->len);
}

static bool emit(LogLevel level, const char *const *fields, const char *message)
{
	switch (sink) {
	case LOG_TARGET_JOURNAL:
		return emit_record(level, fields, message);
	case LOG_TARGET_SYSLOG:
		return log_syslog_send((int)level, message);
	default:
		return emit_line(message);
	}
}

static void report_dropped(void)
{
	unsigned int lost = atomic_exchange(&dropped, 0);
	char text[80];

	if (lost == 0)
		return;
	snprintf(text, sizeof(text),
		 "%u log %s lost, as %s could not be written", lost,
		 plural(lost, "message was", "messages were"),
		 plural(lost, "it", "they"));
	if (!emit(LOG_LEVEL_WARNING, NULL, text))
		atomic_fetch_add(&dropped, lost);
}

/* Control characters, also those of two bytes in UTF-8 (U+0080 to U+009F), are
 * commands to a terminal; so is what is not UTF-8, to some. */
static void make_printable(char *text)
{
	bool utf8 = g_utf8_validate(text, -1, NULL);

	for (; *text; text++) {
		if (utf8 && *text == '\xc2' && (unsigned char)text[1] < 0xa0)
			text[1] = *text = '?';
		if (!g_ascii_isprint(*text) &&
		    (!utf8 || g_ascii_iscntrl(*text)))
			*text = '?';
	}
}

G_GNUC_PRINTF(3, 0)
static void log_va(LogLevel level, const char *const *fields,
		   const char *format, va_list arguments)
{
	char message[LOG_MESSAGE_MAX];

	if (!log_wants(level))
		return;
	vsnprintf(message, sizeof(message), format, arguments);
	make_printable(message);
	if (atomic_load(&dropped))
		report_dropped();
	if (!emit(level, fields, message))
		atomic_fetch_add(&dropped, 1);
}

void log_message(LogLevel level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_va(level, NULL, format, arguments);
	va_end(arguments);
}

void log_record(LogLevel level, const char *const *fields, const char *format,
		...)
{
	va_list arguments;

	va_start(arguments, format);
	log_va(level, fields, format, arguments);
	va_end(arguments);
}

void log_start_error(const char *message)
{
	g_autofree char *text = g_strdup(message);
	bool logged = false;

	make_printable(text);
	if (sink != LOG_TARGET_STDERR)
		logged = emit(LOG_LEVEL_ERROR, NULL, text);
	if (!logged || sink != LOG_TARGET_JOURNAL || !stderr_is_journal)
		emit_line(text);
}

void log_tell_if_unheard(void)
{
	if (!log_wants(LOG_LEVEL_WARNING))
		return;
	if (sink == LOG_TARGET_JOURNAL && !journal_is_reachable())
		emit_line("there is no journal here, so nothing will be "
			  "logged; leave --log-target=journal out, or give "
			  "--log-target=syslog");
	if (sink == LOG_TARGET_SYSLOG && !log_syslog_is_connected())
		emit_line(
			"there is no journal here, and nobody listens on " SYSLOG
			", so nothing will be logged until a syslogd does; "
			"start one, or start this without -d and with "
			"--log-target=stderr");
}
