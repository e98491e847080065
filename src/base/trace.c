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

/* An argument of -T, taken apart; NULL: not given. */
typedef struct Items {
	char *enable, *events, *file;
} Items;

static void items_clear(Items *items)
{
	g_free(items->enable);
	g_free(items->events);
	g_free(items->file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Items, items_clear)

/* Up to the next comma, which is passed over; two commas stand for one in the
 * text. */
static char *next_item(const char **rest)
{
	GString *item = g_string_new(NULL);
	const char *c = *rest;

	for (; *c && (*c != ',' || c[1] == ','); c++) {
		g_string_append_c(item, *c);
		c += *c == ',';
	}
	*rest = *c ? c + 1 : c;
	return g_string_free(item, FALSE);
}

static char **place_of(Items *items, const char *item, size_t length)
{
	const struct {
		const char *name;
		char **place;
	} places[] = {
		{ "enable", &items->enable },
		{ "events", &items->events },
		{ "file", &items->file },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		if (strlen(places[i].name) == length &&
		    memcmp(places[i].name, item, length) == 0)
			return places[i].place;
	return NULL;
}

/* A name that is given twice counts the second time. */
static bool take_item(Items *items, const char *item, bool is_first,
		      GError **error)
{
	const char *value = strchr(item, '=');
	char **place = &items->enable;

	if (value)
		place = place_of(items, item, (size_t)(value++ - item));
	else if (is_first)
		value = item;
	if (!place || !value) {
		error_set(
			error,
			"--trace: '%s' is none of [enable=]PATTERN, "
			"events=FILE and file=FILE; for a second pattern give "
			"a second -T",
			item);
		return false;
	}
	g_free(*place);
	*place = g_strdup(value);
	return true;
}

static bool parse(const char *argument, Items *items, GError **error)
{
	const char *rest = argument;

	while (*rest) {
		bool is_first = rest == argument;
		g_autofree char *item = next_item(&rest);

		if (*item && !take_item(items, item, is_first, error))
			return false;
	}
	return true;
}

bool trace_wants_list(const char *argument)
{
	g_auto(Items) items = { 0 };

	return parse(argument, &items, NULL) && items.enable &&
	       (strcmp(items.enable, "help") == 0 ||
		strcmp(items.enable, "?") == 0);
}

bool trace_option(const char *argument, GError **error)
{
	g_auto(Items) items = { 0 };

	if (!parse(argument, &items, error))
		return false;
	if (items.enable && *items.enable)
		enable(items.enable);
	return (!items.events || enable_from_file(items.events, error)) &&
	       (!items.file || open_file(items.file, error));
}

void trace_list(FILE *file)
{
	for (size_t i = 0; i < TRACE_POINT_COUNT; i++)
		fprintf(file, "%-20s %s\n", points[i].name, points[i].text);
}
