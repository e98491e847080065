/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people type them: what is taken, and above all what is not.
 */
#include "client/number.h"

#define UNTOUCHED 0xdeadbeefu

static void check_hex(const char *text, uint64_t max, bool valid,
		      uint64_t expected)
{
	uint64_t number = UNTOUCHED;

	g_assert_cmpint(number_parse_hex(text, max, &number), ==, valid);
	g_assert_cmphex(number, ==, valid ? expected : UNTOUCHED);
}

static void test_hex(void)
{
	check_hex("0", UINT64_MAX, true, 0);
	check_hex("123abc", UINT64_MAX, true, 0x123abc);
	check_hex("0x123ABC", UINT64_MAX, true, 0x123abc);
	check_hex("0Xf", UINT64_MAX, true, 0xf);
	check_hex("ffffffffffffffff", UINT64_MAX, true, UINT64_MAX);
	check_hex("00000ffffffffffffffff", UINT64_MAX, true, UINT64_MAX);
	check_hex("ffff", UINT16_MAX, true, 0xffff);
}

static void test_hex_refused(void)
{
	static const char *const texts[] = {
		"",
		"x",
		"0x",
		"0x0x1",
		"00x1",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x 1",
		"0x-1",
		"1g",
		"1h",
		"10000000000000000",
		"0x10000000000000000",
		"\n1",
		"1\n",
		"0x\n1",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		check_hex(texts[i], UINT64_MAX, false, 0);
	check_hex("10000", UINT16_MAX, false, 0);
}

static void check_number(const char *text, uint64_t max, bool valid,
			 uint64_t expected)
{
	uint64_t number = UNTOUCHED;

	g_assert_cmpint(number_parse(text, max, &number), ==, valid);
	g_assert_cmphex(number, ==, valid ? expected : UNTOUCHED);
}

static void test_number(void)
{
	check_number("0", 15, true, 0);
	check_number("010", 15, true, 10);
	check_number("8192", 8192, true, 8192);
	check_number("0x2000", 8192, true, 8192);
	check_number("2000h", 8192, true, 8192);
	check_number("2000H", 8192, true, 8192);
	check_number("18446744073709551615", UINT64_MAX, true, UINT64_MAX);
}

static void test_number_refused(void)
{
	static const char *const texts[] = {
		"",     "h",   "0x",    "x",   "-1",
		"+1",   " 1",  "1 ",    "a",   "1k",
		"0x1h", "1.5", "0x0x1", "-1h", "18446744073709551616",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		check_number(texts[i], UINT64_MAX, false, 0);
	check_number("8193", 8192, false, 0);
	check_number("2001h", 8192, false, 0);
}

static void test_bytes(void)
{
	uint8_t bytes[2] = { 0 };
	g_autoptr(GString) text = g_string_new("<");

	g_assert_true(number_parse_bytes("0aFf", bytes, 2));
	g_assert_cmphex(bytes[0], ==, 0x0a);
	g_assert_cmphex(bytes[1], ==, 0xff);
	g_assert_false(number_parse_bytes("0aff0", bytes, 2));
	g_assert_false(number_parse_bytes("0af", bytes, 2));
	g_assert_false(number_parse_bytes("0x0a", bytes, 2));
	g_assert_false(number_parse_bytes("0a f", bytes, 2));
	number_append_bytes(text, bytes, 2);
	g_assert_cmpstr(text->str, ==, "<0aff");
}

static void check_size(const char *text, bool valid, uint64_t expected)
{
	uint64_t number = UNTOUCHED;

	g_assert_cmpint(number_parse_size(text, 8192, &number), ==, valid);
	g_assert_cmpuint(number, ==, valid ? expected : UNTOUCHED);
}

/* The results are those of sg_persist 0.67. */
static void test_size(void)
{
	check_size("0", true, 0);
	check_size("010", true, 10);
	check_size("8192", true, 8192);
	check_size("0x10", true, 16);
	check_size("10h", true, 16);
	check_size("4c", true, 4);
	check_size("4w", true, 8);
	check_size("2b", true, 1024);
	check_size("8k", true, 8192);
	check_size("1K", true, 1024);
	check_size("1KiB", true, 1024);
	check_size("1kB", true, 1000);
	check_size("1KB", true, 1000);
	check_size("3+1k", true, 1027);
	check_size("0xf+0x2", true, 17);
	check_size("2x33", true, 66);
	check_size("3+1+1", true, 5);
	check_size("2x3+1", true, 8);
	check_size("3+2x2", true, 7);
	check_size("2X1kib", true, 2048);
	check_size("0xfx0x2", true, 30);
}

static void test_size_refused(void)
{
	static const char *const texts[] = {
		"",
		"k",
		"8193",
		"9k",
		"-1",
		" 8",
		"5x",
		"x5",
		"3+",
		"+3",
		"1kk",
		"1q",
		"k8",
		"1k+3",
		"1kx2",
		"0x1k",
		"1hk",
		"8k+8k",
		"91x91",
		"1m",
		"1G",
		"0x",
		"2x",
		"2x0x",
		"1 k",
		"1k ",

		"99999999999999999999k",
		"8192x8192x8192x8192x8192x8192",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		check_size(texts[i], false, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/number/hex", test_hex);
	g_test_add_func("/client/number/hex-refused", test_hex_refused);
	g_test_add_func("/client/number/number", test_number);
	g_test_add_func("/client/number/number-refused", test_number_refused);
	g_test_add_func("/client/number/bytes", test_bytes);
	g_test_add_func("/client/number/size", test_size);
	g_test_add_func("/client/number/size-refused", test_size_refused);
	return g_test_run();
}
