/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exit statuses: the numbers that sg_persist gives for the same answers.
 */
#include "client/exit-status.h"

#include <errno.h>

#include "scsi/scsi.h"

static void test_errno(void)
{
	g_assert_cmpint(exit_status_of_errno(ENOENT), ==, 52);
	g_assert_cmpint(exit_status_of_errno(EACCES), ==, 63);
	g_assert_cmpint(exit_status_of_errno(46), ==, 96);
	g_assert_cmpint(exit_status_of_errno(47), ==, 50);
	g_assert_cmpint(exit_status_of_errno(ECONNREFUSED), ==, 50);
	g_assert_cmpint(exit_status_of_errno(0), ==, 50);
	g_assert_cmpint(exit_status_of_errno(-1), ==, 50);
}

static void test_status(void)
{
	static const struct {
		uint32_t status;
		int expected;
	} cases[] = {
		{ 0x00, 0 },  { 0x04, 25 }, { 0x08, 26 },
		{ 0x18, 24 }, { 0x28, 27 }, { 0x30, 28 },
		{ 0x40, 29 }, { 0x55, 99 }, { 0xff, 99 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		WireReply reply = { .status = cases[i].status };

		g_assert_cmpint(exit_status_of_reply(&reply), ==,
				cases[i].expected);
	}
}

static void test_sense(void)
{
	static const struct {
		ScsiSense sense;
		int expected;
	} cases[] = {
		{ { 0x0, 0x00, 0x06 }, 20 }, { { 0x1, 0x00, 0x00 }, 21 },
		{ { 0x2, 0x04, 0x01 }, 2 },  { { 0x3, 0x10, 0x00 }, 3 },
		{ { 0x4, 0x44, 0x00 }, 3 },  { { 0x5, 0x20, 0x00 }, 9 },
		{ { 0x5, 0x24, 0x00 }, 5 },  { { 0x6, 0x2a, 0x03 }, 6 },
		{ { 0x7, 0x27, 0x00 }, 7 },  { { 0x8, 0x00, 0x00 }, 3 },
		{ { 0x9, 0x00, 0x00 }, 98 }, { { 0xa, 0x10, 0x00 }, 10 },
		{ { 0xb, 0x00, 0x06 }, 11 }, { { 0xb, 0x10, 0x00 }, 40 },
		{ { 0xc, 0x00, 0x00 }, 98 }, { { 0xd, 0x00, 0x00 }, 98 },
		{ { 0xe, 0x10, 0x00 }, 14 }, { { 0xf, 0x00, 0x00 }, 98 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		WireReply reply = { .status = SCSI_CHECK_CONDITION };

		scsi_sense_put(reply.sense, sizeof(reply.sense),
			       cases[i].sense);
		g_assert_cmpint(exit_status_of_reply(&reply), ==,
				cases[i].expected);
	}
}

static void test_sense_formats(void)
{
	WireReply none = { .status = SCSI_CHECK_CONDITION };
	WireReply descriptor = { .status = SCSI_CHECK_CONDITION,
				 .sense = { 0x72, 0x05, 0x20, 0x00 } };

	g_assert_cmpint(exit_status_of_reply(&none), ==, 98);
	g_assert_cmpint(exit_status_of_reply(&descriptor), ==, 9);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/exit-status/errno", test_errno);
	g_test_add_func("/client/exit-status/status", test_status);
	g_test_add_func("/client/exit-status/sense", test_sense);
	g_test_add_func("/client/exit-status/formats", test_sense_formats);
	return g_test_run();
}
