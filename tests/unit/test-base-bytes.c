/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Big-endian integers: the order of the bytes, at every alignment, and no byte
 * beside them touched.
 */
#include "base/bytes.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

static const uint8_t pattern[] = { 0xf1, 0xe2, 0xd3, 0xc4,
				   0xb5, 0xa6, 0x97, 0x88 };

static void test_get(void)
{
	g_assert_cmphex(be16_get(pattern), ==, 0xf1e2);
	g_assert_cmphex(be32_get(pattern), ==, 0xf1e2d3c4);
	g_assert_cmphex(be64_get(pattern), ==, 0xf1e2d3c4b5a69788);
}

static void test_get_unaligned(void)
{
	uint8_t bytes[16];

	for (size_t i = 0; i < 8; i++) {
		memset(bytes, 0x5a, sizeof(bytes));
		memcpy(bytes + i, pattern, sizeof(pattern));
		g_assert_cmphex(be16_get(bytes + i), ==, 0xf1e2);
		g_assert_cmphex(be32_get(bytes + i), ==, 0xf1e2d3c4);
		g_assert_cmphex(be64_get(bytes + i), ==, 0xf1e2d3c4b5a69788);
	}
}

/* Exactly `size` bytes of the pattern at `at`, and nothing else. */
static void assert_put(const uint8_t *bytes, size_t at, size_t size)
{
	for (size_t i = 0; i < 24; i++) {
		bool inside = i >= at && i < at + size;

		g_assert_cmphex(bytes[i], ==, inside ? pattern[i - at] : 0x5a);
	}
}

static void test_put(void)
{
	uint8_t bytes[24];

	for (size_t i = 0; i < 8; i++) {
		memset(bytes, 0x5a, sizeof(bytes));
		be16_put(bytes + i, 0xf1e2);
		assert_put(bytes, i, 2);

		memset(bytes, 0x5a, sizeof(bytes));
		be32_put(bytes + i, 0xf1e2d3c4);
		assert_put(bytes, i, 4);

		memset(bytes, 0x5a, sizeof(bytes));
		be64_put(bytes + i, 0xf1e2d3c4b5a69788);
		assert_put(bytes, i, 8);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bytes/get", test_get);
	g_test_add_func("/bytes/get-unaligned", test_get_unaligned);
	g_test_add_func("/bytes/put", test_put);
	return g_test_run();
}
