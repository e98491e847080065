/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of the reply header, as QEMU reads it.
 */
#include "scsi/wire.h"

#include <glib.h>
#include <string.h>

static void test_sizes(void)
{
	g_assert_cmpint(WIRE_FEATURES_SIZE, ==, 4);
	g_assert_cmpint(WIRE_CDB_SIZE, ==, 16);
	g_assert_cmpint(WIRE_SENSE_SIZE, ==, 96);
	g_assert_cmpint(WIRE_REPLY_SIZE, ==, 104);
	g_assert_cmpint(WIRE_DATA_MAX, ==, 8192);
	g_assert_cmphex(WIRE_FEATURES_SUPPORTED, ==, 0);
}

static void test_put(void)
{
	WireReply reply = { .status = 0x01020304, .size = 0xa1b2c3d4 };
	uint8_t bytes[WIRE_REPLY_SIZE + 1];

	for (size_t i = 0; i < WIRE_SENSE_SIZE; i++)
		reply.sense[i] = (uint8_t)(i + 1);
	memset(bytes, 0x5a, sizeof(bytes));
	wire_reply_put(bytes, &reply);
	g_assert_cmpmem(bytes, 8, "\x01\x02\x03\x04\xa1\xb2\xc3\xd4", 8);
	for (size_t i = 0; i < WIRE_SENSE_SIZE; i++)
		g_assert_cmphex(bytes[8 + i], ==, i + 1);
	g_assert_cmphex(bytes[WIRE_REPLY_SIZE], ==, 0x5a);
}

static void test_get(void)
{
	uint8_t bytes[WIRE_REPLY_SIZE];
	WireReply reply;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0xf0 + i);
	wire_reply_get(bytes, &reply);
	g_assert_cmphex(reply.status, ==, 0xf0f1f2f3);
	g_assert_cmphex(reply.size, ==, 0xf4f5f6f7);
	g_assert_cmpmem(reply.sense, WIRE_SENSE_SIZE, bytes + 8, 96);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/wire/sizes", test_sizes);
	g_test_add_func("/wire/put", test_put);
	g_test_add_func("/wire/get", test_get);
	return g_test_run();
}
