/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of trace points and the option that switches them. Lines go to
 * the file that was named, else through the log, which never blocks.
 */
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

bool trace_enabled[TRACE_POINT_COUNT];

static int trace_file = -1;

static const struct {
	const char *name, *text;
} points[] = {
#define X(name, text) { #name, text },
	TRACE_POINTS(X)
#undef X
};

void trace_write(const char *name, const char *format, ...)
{
	g_autoptr(GString) line = g_string_new(NULL);
	struct timespec now;
	va_list arguments;

	clock_gettime(CLOCK_REALTIME, &now);
	g_string_printf(line, "%d@%lld.%06ld:%s ", (int)getpid(),
			(long long)now.tv_sec, now.tv_nsec / 1000, name);
	va_start(arguments, format);
	g_string_append_vprintf(line, format, arguments);
	va_end(arguments);
	if (trace_file < 0) {
		log_message(LOG_LEVEL_NOTICE, "%s", line->str);
		return;
	}
	g_string_append_c(line, '\n');
	(void)!write(trace_file, line->str, line->len);
}

static void enable(const char *pattern)
{
	bool on = pattern[0] != '-';
	const char *glob = on ? pattern : pattern + 1;
	bool found = false;

	for (size_t i = 0; i < TRACE_POINT_COUNT; i++) {
		if (!g_pattern_match_simple(glob, points[i].name))
			continue;
		trace_enabled[i] = on;
		found = true;
	}
	if (!found)
		log_message(LOG_LEVEL_WARNING,
			    "no trace point matches '%s'; -T help lists them",
			    glob);
}

static bool enable_from_file(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	g_autoptr(GError) why = NULL;

	if (!g_file_get_contents(path, &text, NULL, &why)) {
		error_set(error, "cannot read trace events: %s", why->message);
		return false;
	}
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_strstrip(*line);
		if (**line && **line != '#')
			enable(*line);
	}
	return true;
}

static bool open_file(const char *path, GError **error)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC,
		      0666);

	if (fd < 0) {
		error_set_errno(error, "cannot write trace file '%s'", path);
		return false;
	}
	fd_clear(&trace_file);
	trace_file = fd;
	return true;
}

static bool follow(const char *item, GError **error)
{
	if (g_str_has_prefix(item, "events="))
		return enable_from_file(item + strlen("events="), error);
	if (g_str_has_prefix(item, "file="))
		return open_file(item + strlen("file="), error);
	if (g_str_has_prefix(item, "enable="))
		item += strlen("enable=");
	if (*item)
		enable(item);
	return true;
}

bool trace_option(const char *argument, GError **error)
{
	g_auto(GStrv) items = g_strsplit(argument, ",", -1);

	for (char **item = items; *item; item++)
		if (!follow(*item, error))
			return false;
	return true;
}

void trace_list(FILE *file)
{
	for (size_t i = 0; i < TRACE_POINT_COUNT; i++)
		fprintf(file, "%-20s %s\n", points[i].name, points[i].text);
}
