/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a map's own section says goes before the defaults.
 */
#include "multipath/host/conf.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef struct Parse {
	const char *wwid;
	unsigned int depth; /* of sections */
	bool in_defaults;
	bool in_map;    /* a "multipath" section, of which so far: */
	bool is_wanted; /* it names the WWID */
	char *map_key;  /* its key */
	char *default_key;
	char *wanted_key;
} Parse;

/* The value behind this name, without quotes; the caller's. NULL: the line is
 * another setting. */
static char *value_of(const char *line, const char *name)
{
	size_t length = strlen(name);
	const char *value = line + length;
	char *copy;
	size_t size;

	if (strncmp(line, name, length) != 0 || !g_ascii_isspace(*value))
		return NULL;
	copy = g_strstrip(g_strdup(value));
	size = strlen(copy);
	if (size >= 2 && copy[0] == '"' && copy[size - 1] == '"') {
		copy[size - 1] = '\0';
		memmove(copy, copy + 1, size - 1);
	}
	return copy;
}

static void replace(char **text, char *other)
{
	g_free(*text);
	*text = other;
}

static void section_begin(Parse *parse, const char *line)
{
	parse->depth++;
	parse->in_defaults =
		parse->depth == 1 && g_str_has_prefix(line, "defaults ");
	parse->in_map =
		parse->depth == 2 && g_str_has_prefix(line, "multipath ");
	if (!parse->in_map)
		return;
	parse->is_wanted = false;
	g_clear_pointer(&parse->map_key, g_free);
}

static void section_end(Parse *parse)
{
	if (parse->in_map && parse->is_wanted && parse->map_key)
		replace(&parse->wanted_key, g_steal_pointer(&parse->map_key));
	parse->in_defaults = parse->in_map = false;
	if (parse->depth > 0)
		parse->depth--;
}

static void setting(Parse *parse, const char *line)
{
	g_autofree char *key = value_of(line, "reservation_key");
	g_autofree char *wwid = value_of(line, "wwid");

	if (key && parse->in_defaults)
		replace(&parse->default_key, g_steal_pointer(&key));
	else if (key && parse->in_map)
		replace(&parse->map_key, g_steal_pointer(&key));
	else if (wwid && parse->in_map)
		parse->is_wanted = strcmp(wwid, parse->wwid) == 0;
}

static void line_read(Parse *parse, char *line)
{
	g_strstrip(line);
	if (g_str_has_suffix(line, "{"))
		section_begin(parse, line);
	else if (strcmp(line, "}") == 0)
		section_end(parse);
	else
		setting(parse, line);
}

char *multipath_conf_reservation_key(const char *text, const char *wwid)
{
	Parse parse = { .wwid = wwid };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	char *key;

	for (char **line = lines; *line; line++)
		line_read(&parse, *line);
	key = parse.wanted_key ? g_steal_pointer(&parse.wanted_key)
			       : g_steal_pointer(&parse.default_key);
	g_free(parse.map_key);
	g_free(parse.wanted_key);
	g_free(parse.default_key);
	return key;
}
