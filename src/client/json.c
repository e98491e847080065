/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON, one member a line.
 */
#include "json.h"

#include <string.h>

#include "number.h"

void json_init(JsonWriter *json, GString *text)
{
	*json = (JsonWriter) { .text = text };
}

static void new_line(JsonWriter *json)
{
	g_string_append_c(json->text, '\n');
	for (guint i = 0; i < json->depth; i++)
		g_string_append(json->text, "  ");
}

/* RFC 8259 7: the quote, the backslash and the control characters; those from
 * 0x7f on need not be escaped there, but terminals obey them, too. */
static void append_character(GString *text, gunichar c)
{
	if (c == '"' || c == '\\') {
		g_string_append_c(text, '\\');
		g_string_append_c(text, (char)c);
	} else if (g_unichar_iscntrl(c)) {
		g_string_append_printf(text, "\\u%04x", c);
	} else {
		g_string_append_unichar(text, c);
	}
}

static void append_quoted(GString *text, const char *value, size_t size)
{
	const char *end = value + size;

	g_string_append_c(text, '"');
	while (value < end) {
		/* GLib takes NUL for the end, and here it is a character. */
		gunichar c =
			*value ? g_utf8_get_char_validated(value, end - value)
			       : 0;

		if (c == (gunichar)-1 || c == (gunichar)-2) {
			append_character(text, 0xfffd);
			value++;
		} else {
			append_character(text, c);
			value = g_utf8_next_char(value);
		}
	}
	g_string_append_c(text, '"');
}

/* The comma, the line and the name before a value. */
static void begin_value(JsonWriter *json, const char *name)
{
	if (json->has_members)
		g_string_append_c(json->text, ',');
	if (json->depth > 0)
		new_line(json);
	json->has_members = true;
	if (!name)
		return;
	append_quoted(json->text, name, strlen(name));
	g_string_append(json->text, ": ");
}

static void open_bracket(JsonWriter *json, const char *name, char bracket)
{
	begin_value(json, name);
	g_string_append_c(json->text, bracket);
	json->depth++;
	json->has_members = false;
}

static void close_bracket(JsonWriter *json, char bracket)
{
	g_assert(json->depth > 0);
	json->depth--;
	if (json->has_members)
		new_line(json);
	g_string_append_c(json->text, bracket);
	json->has_members = true;
	if (json->depth == 0)
		g_string_append_c(json->text, '\n');
}

void json_begin_object(JsonWriter *json, const char *name)
{
	open_bracket(json, name, '{');
}

void json_end_object(JsonWriter *json)
{
	close_bracket(json, '}');
}

void json_begin_array(JsonWriter *json, const char *name)
{
	open_bracket(json, name, '[');
}

void json_end_array(JsonWriter *json)
{
	close_bracket(json, ']');
}

void json_add_text(JsonWriter *json, const char *name, const void *value,
		   size_t size)
{
	begin_value(json, name);
	append_quoted(json->text, value, size);
}

void json_add_string(JsonWriter *json, const char *name, const char *value)
{
	json_add_text(json, name, value, strlen(value));
}

void json_add_null(JsonWriter *json, const char *name)
{
	begin_value(json, name);
	g_string_append(json->text, "null");
}

void json_add_bool(JsonWriter *json, const char *name, bool value)
{
	begin_value(json, name);
	g_string_append(json->text, value ? "true" : "false");
}

void json_add_number(JsonWriter *json, const char *name, uint32_t value)
{
	begin_value(json, name);
	g_string_append_printf(json->text, "%u", value);
}

void json_add_key(JsonWriter *json, const char *name, uint64_t value)
{
	begin_value(json, name);
	g_string_append_printf(json->text, "\"0x%" G_GINT64_MODIFIER "x\"",
			       value);
}

void json_add_bytes(JsonWriter *json, const char *name, const uint8_t *bytes,
		    size_t size)
{
	begin_value(json, name);
	g_string_append_c(json->text, '"');
	number_append_bytes(json->text, bytes, size);
	g_string_append_c(json->text, '"');
}
