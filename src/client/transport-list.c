/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where TransportIDs come from. Reads a bounded amount, so that a wrong file
 * name is an error and not a memory hog.
 */
#include "transport-list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exit-status.h"
#include "transport-id.h"

/* Room for far more IDs than a parameter list of 8192 bytes can hold. */
#define TEXT_MAX 65536

void transport_list_init(TransportList *list)
{
	*list = (TransportList) { .bytes = g_byte_array_new() };
}

void transport_list_deinit(TransportList *list)
{
	g_clear_pointer(&list->bytes, g_byte_array_unref);
}

bool transport_list_add_lines(TransportList *list, const char *text,
			      const char *name, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	const char *reason;

	for (guint i = 0; lines[i]; i++) {
		char *comment = strchr(lines[i], '#');

		if (comment)
			*comment = '\0';
		g_strstrip(lines[i]);
		if (lines[i][0] == '\0')
			continue;
		if (!transport_id_parse(lines[i], list->bytes, &reason)) {
			g_set_error(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX,
				    "%s, line %u: the TransportID %s", name,
				    i + 1, reason);
			return false;
		}
		list->count++;
	}
	return true;
}

static bool add_stream(TransportList *list, FILE *stream, const char *name,
		       GError **error)
{
	g_autofree char *text = g_malloc(TEXT_MAX + 1);
	size_t size = fread(text, 1, TEXT_MAX + 1, stream);

	if (ferror(stream)) {
		g_set_error(error, CLIENT_ERROR, EXIT_STATUS_FILE, "%s: %s",
			    name, g_strerror(errno));
		return false;
	}
	if (size > TEXT_MAX || memchr(text, '\0', size)) {
		g_set_error(error, CLIENT_ERROR, EXIT_STATUS_FILE,
			    "%s: not a list of TransportIDs: it %s", name,
			    size > TEXT_MAX ? "is longer than 65536 bytes"
					    : "contains NUL bytes");
		return false;
	}
	text[size] = '\0';
	return transport_list_add_lines(list, text, name, error);
}

static bool add_file(TransportList *list, const char *path, GError **error)
{
	FILE *stream = fopen(path, "re");
	bool added;

	if (!stream) {
		g_set_error(error, CLIENT_ERROR, EXIT_STATUS_FILE, "%s: %s",
			    path, g_strerror(errno));
		return false;
	}
	added = add_stream(list, stream, path, error);
	fclose(stream);
	return added;
}

bool transport_list_add(TransportList *list, const char *argument,
			GError **error)
{
	const char *reason;

	if (strcmp(argument, "-") == 0)
		return add_stream(list, stdin, "standard input", error);
	if (g_ascii_strncasecmp(argument, "file=", 5) == 0)
		return add_file(list, argument + 5, error);
	if (!transport_id_parse(argument, list->bytes, &reason)) {
		g_set_error(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX,
			    "--transport-id: '%s' %s", argument, reason);
		return false;
	}
	list->count++;
	return true;
}
