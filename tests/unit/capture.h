/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of the code under test, as text: standard error is a memory file for
 * as long as it is captured.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <sys/mman.h>

#include "base/log.h"
#include "testing.h"

typedef struct Capture {
	int file, real;
} Capture;

static inline Capture capture_log(void)
{
	Capture capture = {
		.file = memfd_create("log", MFD_CLOEXEC),
		.real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3),
	};

	g_assert_no_errno(capture.file);
	g_assert_no_errno(capture.real);
	g_assert_no_errno(dup2(capture.file, STDERR_FILENO));
	log_init(LOG_TARGET_STDERR, false);
	log_set_level(LOG_LEVEL_INFO);
	return capture;
}

/* All of it so far; the caller frees it. */
static inline char *captured(const Capture *capture)
{
	char *text = g_malloc0(1 << 20);

	g_assert_no_errno(pread(capture->file, text, (1 << 20) - 1, 0));
	return text;
}

/* How often it has this text so far. */
static inline unsigned int captured_times(const Capture *capture,
					  const char *text)
{
	g_autofree char *log = captured(capture);
	unsigned int count = 0;

	for (char *at = log; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static inline void capture_end(Capture *capture)
{
	g_assert_no_errno(dup2(capture->real, STDERR_FILENO));
	fd_clear(&capture->real);
	fd_clear(&capture->file);
	log_init(LOG_TARGET_STDERR, false);
}

#endif
