/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named trace points, switched on by -T: the steps of a request for whoever
 * looks for a fault. Off, one costs a test of a flag. Any thread may trace,
 * once start-up is over.
 */
#ifndef TRACE_H
#define TRACE_H

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* Name, and what it shows. */
#define TRACE_POINTS(X)                                                       \
	X(connection_accept, "a client has connected")                        \
	X(connection_state, "a client's session has entered a state")         \
	X(connection_close, "a client's connection has ended")                \
	X(command_submit, "a command was handed to the device's queue")       \
	X(command_refuse, "a command was answered without asking the device") \
	X(command_answer, "a command has its answer")                         \
	X(command_late, "a disowned command has returned")                    \
	X(scsi_submit, "SG_IO is about to be called")                         \
	X(scsi_return, "SG_IO has returned")                                  \
	X(server_drain, "the server has begun to stop")

typedef enum TracePoint {
#define X(name, text) TRACE_##name,
	TRACE_POINTS(X)
#undef X
		TRACE_POINT_COUNT,
} TracePoint;

extern bool trace_enabled[TRACE_POINT_COUNT];

/* printf format. */
#define trace(name, ...)                                     \
	do {                                                 \
		if (G_UNLIKELY(trace_enabled[TRACE_##name])) \
			trace_write(#name, __VA_ARGS__);     \
	} while (0)

void trace_write(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Follows one argument of -T: [enable=]PATTERN, events=FILE, file=FILE,
 * separated by commas, of which two stand for one in a name; a pattern that
 * begins with '-' switches off. A pattern that matches nothing is reported and
 * not an error. False with *error set if a file cannot be used, or the argument
 * has anything else in it. */
bool trace_option(const char *argument, GError **error);

/* Whether the argument of -T asks for the list: its pattern is "help" or "?".
 */
bool trace_wants_list(const char *argument);

/* One name a line, for -T help. */
void trace_list(FILE *file);

#endif
