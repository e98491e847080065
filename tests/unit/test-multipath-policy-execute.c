/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one path can do for all: reading, and what the device has to refuse.
 * What becomes of the other commands is in multipath-scenarios.txt.
 */
#include "multipath-scenario.h"

#define CHECK SCSI_CHECK_CONDITION

static Command *command_read(void)
{
	static const uint8_t cdb[WIRE_CDB_SIZE] = {
		SCSI_PERSISTENT_RESERVE_IN,
		SCSI_PR_IN_READ_RESERVATION, [8] = SCSI_PR_RESERVATION_LENGTH
	};
	ScsiPrCdb pr;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	return command_new(cdb, &pr, -1);
}

static void test_in(void)
{
	static const struct {
		PathState path[OURS];
		bool attention[OURS];
		const char *trace;
		uint8_t status;
		uint32_t size;
	} cases[] = {
		{ { ALIVE }, { false }, "a:read", SCSI_GOOD, 24 },
		{ { DEAD }, { false }, "a:read b:read", SCSI_GOOD, 24 },
		{ { NOT_READY }, { false }, "a:read b:read", SCSI_GOOD, 24 },
		{ { UNMAPPED }, { false }, "a:read b:read", SCSI_GOOD, 24 },
		{ { MUTE }, { false }, "a:read b:read", SCSI_GOOD, 24 },
		{ { OFFLINE }, { false }, "b:read", SCSI_GOOD, 24 },
		{ { BROKEN }, { false }, "a:read", CHECK, 0 },
		{ { ALIVE }, { true }, "a:read", CHECK, 0 },
		/* Reading raises none: it is the guest's. */
		{ { MUTE }, { false, true }, "a:read b:read", CHECK, 0 },
		{ { MUTE, BROKEN }, { false }, "a:read b:read", CHECK, 0 },
		{ { DEAD, DEAD }, { false }, "a:read b:read", CHECK, 0 },
		{ { OFFLINE, OFFLINE }, { false }, "", CHECK, 0 },
	};
	static const State reserved = { .key = { 0x111, 0x111, 0, 0x999 },
					.holder = OTHER + 1 };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_read();
		Model m;

		model_init(&m);
		state_set(&m, &reserved, 0);
		memcpy(m.path, cases[i].path, sizeof(m.path));
		memcpy(m.attention, cases[i].attention,
		       sizeof(cases[i].attention));
		/* Reading needs no multipathd. */
		m.multipathd = MULTIPATHD_ABSENT;
		model_run(&m, command);
		g_assert_cmpstr(m.trace->str, ==, cases[i].trace);
		g_assert_cmphex(command->reply.status, ==, cases[i].status);
		g_assert_cmpuint(command->reply.size, ==, cases[i].size);
		if (cases[i].size) {
			g_assert_cmphex(be64_get(command->data + 8), ==, 0x999);
			g_assert_cmpint(command->failure, ==, FAILURE_NONE);
		}
		command_free(command);
		model_deinit(&m);
	}
}

/* A list that is cut off is the device's to refuse, by one path. */
static void test_short_list(void)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
				       SCSI_PR_OUT_REGISTER, [8] = 23 };
	ScsiPrCdb pr;
	Command *command;
	Model m;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, -1);
	memset(command->data, 0, 23);
	model_init(&m);
	m.path[0] = BROKEN;
	model_run(&m, command);
	g_assert_cmpstr(m.trace->str, ==, "a:register");
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     (ScsiSense) { 5, 0x26, 0 });
	command_free(command);
	model_deinit(&m);
}

/* A path needs a second and a half. */
static void test_time(void)
{
	static const struct {
		int64_t left_us;
		size_t share;
		bool after_deadline;
		int64_t time_us;
	} cases[] = {
		{ 25000000, 0, false, 25000000 },
		{ 25000000, 1, false, 12500000 },
		/* Too little for SG_IO would be none at all. */
		{ 25000000, 63, false, 1500000 },
		{ 1000000, 15, false, 1000000 },
		{ 1000000, 0, false, 1000000 },
		{ -5, 3, false, -5 },
		{ -5, 3, true, 1500000 },
		{ 1000000, 3, true, 1500000 },
		{ 25000000, 1, true, 12500000 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(
			multipath_time_us(cases[i].left_us,
					  (Send) { cases[i].share,
						   cases[i].after_deadline }),
			==, cases[i].time_us);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/multipath/in", test_in);
	g_test_add_func("/multipath/short-list", test_short_list);
	g_test_add_func("/multipath/time", test_time);
	return g_test_run();
}
