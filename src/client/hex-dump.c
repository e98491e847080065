/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hex dumps.
 */
#include "hex-dump.h"

#define PER_LINE 16

static void append_line(GString *text, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		g_string_append_printf(text, "%s%02x",
				       i == 0              ? ""
				       : i == PER_LINE / 2 ? "  "
							   : " ",
				       bytes[i]);
	g_string_append_c(text, '\n');
}

void hex_dump_with_offsets(GString *text, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i += PER_LINE) {
		g_autofree char *offset = g_strdup_printf("%02zx", i);

		g_string_append_printf(text, " %-7s", offset);
		append_line(text, bytes + i, MIN(PER_LINE, size - i));
	}
}

void hex_dump(GString *text, const char *indent, const uint8_t *bytes,
	      size_t size)
{
	for (size_t i = 0; i < size; i += PER_LINE) {
		g_string_append(text, indent);
		append_line(text, bytes + i, MIN(PER_LINE, size - i));
	}
}
