/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only writer of log text. Messages go to the journal with fields, or to a
 * syslogd or stderr as lines; docs/LOGGING.md has the table of cases. Any
 * thread may log. Writing never blocks: what cannot be written at once is
 * dropped and counted, and the count is reported with the next message that
 * gets through.
 */
#ifndef LOG_H
#define LOG_H

#include <glib.h>
#include <stdbool.h>

/* The numbers are those of syslog(3). */
typedef enum LogLevel {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
} LogLevel;

typedef enum LogTarget {
	LOG_TARGET_AUTO, /* decided by what stderr is */
	LOG_TARGET_JOURNAL,
	LOG_TARGET_SYSLOG,
	LOG_TARGET_STDERR,
} LogTarget;

/* Whose messages they are. */
#define LOG_IDENTIFIER "qemu-pr-helper"

/* Longest message, in bytes; longer ones are cut. At most PIPE_BUF, so that
 * lines of several writers of one pipe stay whole. */
#define LOG_MESSAGE_MAX 2048

/* Decides where messages go; `detached`: stderr will be /dev/null soon (-d).
 * Before this, messages go to stderr. GLib's messages come here, too. */
void log_init(LogTarget target, bool detached);

/* Messages above this level are not written; LOG_LEVEL_INFO at first. */
void log_set_level(LogLevel level);
bool log_wants(LogLevel level);

/* One message, printf format, without a line end. What is not printable is
 * written as '?', so that no client can forge a line. */
void log_message(LogLevel level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with journal fields: NULL-terminated "NAME=value" strings; a line
 * on stderr shows only the message. */
void log_record(LogLevel level, const char *const *fields, const char *format,
		...) __attribute__((format(printf, 3, 4)));

/* A start-up error: a line on stderr, whatever the target, because who
 * started the program reads it there; and a message where the
 * others go. Where stderr is the journal as well, once. */
void log_start_error(const char *message);

/* Warns on stderr, while that is still there, if messages will go nowhere. */
void log_tell_if_unheard(void);

#endif
