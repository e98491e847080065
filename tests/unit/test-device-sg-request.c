/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SG_IO is given: the buffer, its direction, and the time.
 */
#include "device/sg-request.h"

#include "testing.h"

typedef struct FillCase {
	uint8_t opcode;
	uint32_t length;
	unsigned int transfer;
	int direction;
} FillCase;

static void test_fill(void)
{
	static const FillCase cases[] = {
		/* IN: the whole buffer, whatever was asked for. */
		{ SCSI_PERSISTENT_RESERVE_IN, 0, WIRE_DATA_MAX,
		  SG_DXFER_FROM_DEV },
		{ SCSI_PERSISTENT_RESERVE_IN, 8, WIRE_DATA_MAX,
		  SG_DXFER_FROM_DEV },
		{ SCSI_PERSISTENT_RESERVE_IN, WIRE_DATA_MAX, WIRE_DATA_MAX,
		  SG_DXFER_FROM_DEV },
		/* OUT: exactly the parameter list. */
		{ SCSI_PERSISTENT_RESERVE_OUT, 24, 24, SG_DXFER_TO_DEV },
		{ SCSI_PERSISTENT_RESERVE_OUT, 1, 1, SG_DXFER_TO_DEV },
		{ SCSI_PERSISTENT_RESERVE_OUT, 0, 0, SG_DXFER_NONE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const FillCase *c = &cases[i];
		uint8_t cdb[WIRE_CDB_SIZE] = { c->opcode };
		ScsiPrCdb pr = { .opcode = c->opcode, .length = c->length };
		Command *command = command_new(cdb, &pr, -1);
		uint8_t sense[WIRE_SENSE_SIZE];
		sg_io_hdr_t io;

		sg_request_fill(command, sense, &io);
		g_assert_cmpint(io.interface_id, ==, 'S');
		g_assert_true(io.cmdp == command->cdb);
		g_assert_cmpint(io.cmd_len, ==, 10);
		g_assert_true(io.dxferp == command->data);
		g_assert_cmpuint(io.dxfer_len, ==, c->transfer);
		g_assert_cmpint(io.dxfer_direction, ==, c->direction);
		g_assert_true(io.sbp == sense);
		g_assert_cmpint(io.mx_sb_len, ==, WIRE_SENSE_SIZE);
		command_free(command);
	}
}

static void test_timeout(void)
{
	static const struct {
		int64_t left; /* microseconds */
		unsigned int timeout;
	} cases[] = {
		{ 25000000, 24500 },
		{ 2000000, 1500 },
		{ 1500000, 1000 },
		{ 1499000, 1000 },
		{ 100000, 1000 },
		{ 99999, 0 },
		{ 0, 0 },
		{ -1, 0 },
		{ INT64_MIN, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpuint(sg_request_timeout(cases[i].left), ==,
				 cases[i].timeout);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sg-request/fill", test_fill);
	g_test_add_func("/sg-request/timeout", test_timeout);
	return g_test_run();
}
