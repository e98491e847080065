/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy for CLEAR, PREEMPT and reading, and what holds for every command.
 * Each other command has a program of its own: test-multipath-policy-register.c
 * and so on.
 */
#include "multipath-scenario.h"

static const Scenario other_scenarios[] = {
	{ .name = "CLEAR",
	  .before = RESERVED_BY_A,
	  .action = CLEAR,
	  .rk = K,
	  .trace = "a:clear off unset" },
	{ .name = "CLEAR with a wrong key",
	  .before = RESERVED_BY_A,
	  .action = CLEAR,
	  .rk = K2,
	  .trace = "a:clear b:clear",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	/* The attention is the first CLEAR's own work, the conflict as well. */
	{ .name = "CLEAR, and the answer is lost",
	  .before = RESERVED_BY_A,
	  .lost_after = "clear",
	  .action = CLEAR,
	  .rk = K,
	  .trace = "a:clear b:clear b:clear",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .stored = K, .status = true, .record = K } },
	{ .name = "CLEAR without multipathd",
	  .before = RESERVED_BY_A,
	  .multipathd = MULTIPATHD_ABSENT,
	  .action = CLEAR,
	  .rk = K,
	  .trace = "a:clear off unset",
	  .after = { .stored = K, .status = true },
	  .warning = "multipathd cannot be reached" },
	{ .name = "PREEMPT of another host",
	  .before = RESERVED_BY_OTHER,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .trace = "a:preempt a:read hold",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT down a living path",
	  .before = RESERVED_BY_OTHER,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .path = { DEAD },
	  .trace = "a:preempt b:preempt b:read hold",
	  .after = { .key = { K, K },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT of another host, and the answer is lost",
	  .before = RESERVED_BY_OTHER,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .lost_after = "preempt",
	  .dies_after = "preempt",
	  .trace = "a:preempt b:preempt get b:read hold",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT of another host, and the path dies",
	  .before = RESERVED_BY_OTHER,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .dies_after = "preempt",
	  .trace = "a:preempt a:read b:read hold",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT of a registration only",
	  .before = { .key = { K, K, 0, KO }, .stored = K, .status = true },
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .trace = "a:preempt a:read",
	  .after = REGISTERED },
	{ .name = "PREEMPT of ourselves",
	  .before = RESERVED_BY_A,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get b:keys b:keys b:ignore a:read hold",
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT of ourselves on a unit that keeps registrations",
	  .before = KEPT_RESERVED_BY_A,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get b:keys b:keys b:ignore a:read hold",
	  .after = KEPT_RESERVED_BY_A },
	{ .name = "the same without multipathd",
	  .before = KEPT_RESERVED_BY_A,
	  .multipathd = MULTIPATHD_ABSENT,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get a:can b:keys b:keys b:ignore a:read hold",
	  .after = KEPT_RESERVED_BY_A },
	{ .name = "the same with a multipathd that has no key",
	  .before = { .key = { K, K }, .aptpl = true },
	  .late_after = "preempt",
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get a:can b:keys b:keys b:ignore",
	  .after = { .key = { K, K }, .aptpl = true } },
	{ .name = "PREEMPT of ourselves, and a path comes back",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_B,
		      .stored = K,
		      .status = true },
	  .path = { OFFLINE },
	  .revives = true,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "b:preempt get a:keys a:keys a:ignore b:read hold",
	  .after = { .key = { K, K, 0, KO },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT of ourselves, and the map goes",
	  .before = RESERVED_BY_A,
	  .later_paths = (unsigned int)-1,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get b:keys b:keys b:ignore a:read hold",
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT of ourselves, and the answer is lost",
	  .before = RESERVED_BY_A,
	  .lost_after = "preempt",
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt b:preempt b:preempt get b:keys b:ignore b:read "
		   "hold",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT by another host's key, and the answer is lost",
	  .before = RESERVED_BY_A,
	  .path = { MUTE, MUTE },
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = KO,
	  .sark = KO,
	  .trace = "a:preempt b:preempt get",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT of ourselves, at the last moment",
	  .before = RESERVED_BY_A,
	  .late_after = "preempt",
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get b:keys b:keys b:ignore",
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT of all registrants",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_OTHER,
		      .stored = K,
		      .status = true },
	  .action = PREEMPT,
	  .type = WEAR,
	  .rk = K,
	  .trace = "a:preempt get b:keys b:keys b:ignore a:read",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "PREEMPT of a key that nobody has",
	  .before = RESERVED_BY_A,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K2,
	  .trace = "a:preempt b:preempt",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	{ .name = "REGISTER AND MOVE",
	  .before = RESERVED_BY_A,
	  .action = SCSI_PR_OUT_REGISTER_AND_MOVE,
	  .rk = K,
	  .sark = K,
	  .trace = "",
	  .status = CHECK,
	  .sense = { 5, 0x24, 0 },
	  .after = RESERVED_BY_A },
	{ .name = "the map has gone",
	  .n_paths = (unsigned int)-1,
	  .action = RESERVE,
	  .rk = K,
	  .trace = "",
	  .status = CHECK,
	  .sense = { 0xb, 0, 6 } },
};

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
	static const State reserved = RESERVED_BY_OTHER;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_read();
		Model m;

		model_init(&m);
		state_set(&m, &reserved, WERO);
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
			g_assert_cmphex(be64_get(command->data + 8), ==, KO);
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
				       REGISTER, [8] = 23 };
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
	SCENARIOS_ADD(other);
	g_test_add_func("/multipath/in", test_in);
	g_test_add_func("/multipath/short-list", test_short_list);
	g_test_add_func("/multipath/time", test_time);
	return g_test_run();
}
