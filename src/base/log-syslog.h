/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to a syslogd: RFC 3164 as the C library writes it, to the local
 * socket. Any thread may send; nothing here waits.
 */
#ifndef LOG_SYSLOG_H
#define LOG_SYSLOG_H

#include <stdbool.h>

/* Messages go to this socket from now on; /dev/log but in tests. The path is
 * borrowed for good. Connects at once, before privileges are dropped; it is no
 * error if nobody listens yet. */
void log_syslog_open(const char *path);

/* Whether somebody listened at the last attempt. */
bool log_syslog_is_connected(void);

/* `severity` as in syslog(3), the facility is "daemon". Connects again if
 * nobody did yet, or the syslogd has been restarted. False: the message was not
 * sent, as nobody listens or reads. */
bool log_syslog_send(int severity, const char *message);

#endif
