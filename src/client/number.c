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

static uint64_t multiplier_of(const char *suffix)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} multipliers[] = {
		{ "", 1 },     { "c", 1 },      { "w", 2 },     { "b", 512 },
		{ "k", 1024 }, { "kib", 1024 }, { "kb", 1000 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(multipliers); i++)
		if (g_ascii_strcasecmp(suffix, multipliers[i].suffix) == 0)
			return multipliers[i].factor;
	return 0;
}

/* A length without "x" and "+". */
static bool parse_multiple(const char *text, uint64_t max, uint64_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t factor = multiplier_of(text + digits);
	uint64_t number;

	if (factor == 0)
		return number_parse(text, max, ret_number);
	if (!parse_digits(text, text + digits, 10, max, &number) ||
	    number * factor > max)
		return false;
	*ret_number = number * factor;
	return true;
}

/* The first "x" that is no "0x", or the first "+"; or NULL. */
static const char *find_sign(const char *text)
{
	return strpbrk(has_hex_prefix(text) ? text + 2 : text, "xX+");
}

bool number_parse_size(const char *text, uint64_t max, uint64_t *ret_number)
{
	const char *sign = find_sign(text);
	g_autofree char *left = NULL;
	uint64_t a, b, number;

	if (!sign)
		return parse_multiple(text, max, ret_number);
	left = g_strndup(text, (gsize)(sign - text));
	/* sg_persist takes the right side first: "2x3+1" is 8. */
	if (!number_parse(left, max, &a) ||
	    !number_parse_size(sign + 1, max, &b))
		return false;
	number = *sign == '+' ? a + b : a * b;
	if (number > max)
		return false;
	*ret_number = number;
	return true;
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
