/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people type them. strtoull() skips blanks and takes signs, so
 * what it is given has been looked at before.
 */
#include "number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool parse_digits(const char *text, const char *end, int base,
			 uint64_t max, uint64_t *ret_number)
{
	char *stop;
	uint64_t number;

	/* Nothing but digits, then "x", which would be a second prefix. */
	if (!g_ascii_isxdigit(text[0]) || g_ascii_tolower(text[1]) == 'x')
		return false;
	errno = 0;
	number = strtoull(text, &stop, base);
	if (errno || stop != end || number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool has_hex_prefix(const char *text)
{
	return text[0] == '0' && g_ascii_tolower(text[1]) == 'x';
}

bool number_parse_hex(const char *text, uint64_t max, uint64_t *ret_number)
{
	const char *digits = has_hex_prefix(text) ? text + 2 : text;

	return parse_digits(digits, text + strlen(text), 16, max, ret_number);
}

bool number_parse(const char *text, uint64_t max, uint64_t *ret_number)
{
	const char *end = text + strlen(text);

	if (has_hex_prefix(text))
		return parse_digits(text + 2, end, 16, max, ret_number);
	if (end > text && g_ascii_tolower(end[-1]) == 'h')
		return parse_digits(text, end - 1, 16, max, ret_number);
	return parse_digits(text, end, 10, max, ret_number);
}

bool number_parse_bytes(const char *text, uint8_t *ret_bytes, size_t size)
{
	if (strlen(text) != 2 * size ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++)
		ret_bytes[i] =
			(uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 |
				  g_ascii_xdigit_value(text[2 * i + 1]));
	return true;
}

void number_append_bytes(GString *text, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
}
