/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paths of a map, and what their answers mean. How commands go down them is
 * in multipath-scenarios.txt.
 */
#include "multipath/policy/paths.h"

#include "multipath-scenario.h"

static void test_outcome(void)
{
	static const Outcome outcomes[FAILURE_COUNT] = {
		[FAILURE_NOT_SUPPORTED] = OUTCOME_UNREACHED,
		[FAILURE_INVALID_FIELD] = OUTCOME_UNREACHED,
		[FAILURE_NO_SCSI_DEVICE] = OUTCOME_UNREACHED,
		[FAILURE_NOT_SENT] = OUTCOME_UNREACHED,
		[FAILURE_OUTCOME_UNKNOWN] = OUTCOME_UNKNOWN,
		[FAILURE_NO_RESOURCES] = OUTCOME_UNREACHED,
		[FAILURE_NO_PATH] = OUTCOME_UNREACHED,
		[FAILURE_DISRUPTED] = OUTCOME_UNKNOWN,
		[FAILURE_TRANSPORT] = OUTCOME_UNREACHED,
	};
	static const uint8_t cdb[WIRE_CDB_SIZE] = {
		SCSI_PERSISTENT_RESERVE_IN
	};

	for (Failure i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++) {
		Command *command = paths_in_request(cdb);

		command_refuse(command, i, "test");
		g_assert_cmpint(paths_outcome(command), ==, outcomes[i]);
		command_answer(command, SCSI_BUSY, NULL, 0, 0);
		g_assert_cmpint(paths_outcome(command), ==, OUTCOME_REFUSED);
		command_free(command);
	}
}

/* Who is known not to run gets no time. */
static void test_others(void)
{
	static const struct {
		uint8_t action;
		PathState path[OURS];
		const char *shares;
	} cases[] = {
		{ SCSI_PR_OUT_RESERVE, { DEAD, DEAD, DEAD }, "a2b1c0" },
		{ SCSI_PR_OUT_RESERVE, { DEAD, OFFLINE, DEAD }, "a1c0" },
		{ SCSI_PR_OUT_RESERVE, { DEAD, DEAD, OFFLINE }, "a1b0" },
		{ SCSI_PR_OUT_RELEASE, { DEAD, DEAD, OFFLINE }, "a1b0" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_out(cases[i].action, 5, 0x111, 0, 0);
		Model m;

		model_init(&m);
		m.n_paths = OURS;
		memcpy(m.path, cases[i].path, sizeof(m.path));
		model_run(&m, command);
		g_assert_cmpstr(m.shares->str, ==, cases[i].shares);
		command_free(command);
		model_deinit(&m);
	}
}

/* A slow array on a map of many paths gets a fair time if one path is enough,
 * and if every path is needed each gets its own. */
static void test_many_others(void)
{
	Multipath m = { .n_paths = 16 };

	for (size_t i = 0; i < m.n_paths; i++)
		m.paths[i].is.running = true;
	g_assert_cmpuint(paths_share(&m, 0, SHARE_WITH_ALL), ==, 15);
	g_assert_cmpuint(paths_share(&m, 0, SHARE_WITH_FEW), ==, 4);
	g_assert_cmpuint(paths_share(&m, 12, SHARE_WITH_FEW), ==, 3);
	m.paths[14].is.running = false;
	g_assert_cmpuint(paths_share(&m, 12, SHARE_WITH_FEW), ==, 2);
}

/* What merging reads. */
static Map map_now;
static bool map_has_gone;

static const Map *read_map_now(void *data)
{
	(void)data;
	return map_has_gone ? NULL : &map_now;
}

/* Numbers of paths, in order; 0 ends them. */
static void set_map(const unsigned int *minors)
{
	map_now = (Map) { .name = "dm-7" };
	for (size_t i = 0; minors[i]; i++)
		map_now.paths[map_now.n_paths++] = (MapPath) {
			.major = 8, .minor = minors[i], .running = true
		};
}

static void assert_path(const Multipath *m, size_t i, unsigned int minor,
			bool left, Outcome outcome)
{
	g_assert_cmpuint(m->paths[i].is.minor, ==, minor);
	g_assert_true(m->paths[i].left == left);
	g_assert_true(m->paths[i].is.running == !left);
	g_assert_cmpint(m->paths[i].outcome, ==, outcome);
}

/* Paths keep their place and what they said, whoever joins and leaves. */
static void test_merge(void)
{
	const MultipathWorld world = { .read_map = read_map_now };
	Multipath m = { .world = &world };

	set_map((const unsigned int[]) { 16, 48, 64, 0 });
	g_assert_true(paths_merge(&m));
	g_assert_cmpstr(m.map_name, ==, "dm-7");
	g_assert_cmpuint(m.n_paths, ==, 3);
	for (size_t i = 0; i < m.n_paths; i++)
		m.paths[i].outcome = OUTCOME_GOOD;
	strcpy(m.paths[2].reason, "why");

	set_map((const unsigned int[]) { 16, 32, 64, 0 });
	g_assert_true(paths_merge(&m));
	g_assert_cmpuint(m.n_paths, ==, 4);
	assert_path(&m, 0, 16, false, OUTCOME_GOOD);
	assert_path(&m, 1, 48, true, OUTCOME_GOOD);
	assert_path(&m, 2, 64, false, OUTCOME_GOOD);
	assert_path(&m, 3, 32, false, OUTCOME_NONE);
	g_assert_cmpstr(m.paths[2].reason, ==, "why");

	set_map((const unsigned int[]) { 32, 48, 0 });
	g_assert_true(paths_merge(&m));
	g_assert_cmpuint(m.n_paths, ==, 4);
	assert_path(&m, 0, 16, true, OUTCOME_GOOD);
	assert_path(&m, 1, 48, false, OUTCOME_GOOD);

	map_has_gone = true;
	g_assert_false(paths_merge(&m));
	map_has_gone = false;
	assert_path(&m, 1, 48, false, OUTCOME_GOOD);
}

/* One that has left gets nothing, although the device may know it yet. */
static void test_left(void)
{
	const MultipathWorld world = { .read_map = read_map_now };
	Multipath m = { .world = &world };
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_IN };
	Command *attempt = paths_in_request(cdb);

	set_map((const unsigned int[]) { 16, 0 });
	g_assert_true(paths_merge(&m));
	set_map((const unsigned int[]) { 32, 0 });
	g_assert_true(paths_merge(&m));
	g_assert_cmpint(paths_send(&m, 0, send_to_each, attempt), ==,
			OUTCOME_UNREACHED);
	g_assert_cmpint(attempt->failure, ==, FAILURE_NO_PATH);
	command_free(attempt);
}

/* More than the table holds are not looked at. */
static void test_merge_many(void)
{
	const MultipathWorld world = { .read_map = read_map_now };
	Multipath m = { .world = &world };
	unsigned int minors[MAP_PATHS_MAX + 1] = { 0 };

	for (unsigned int i = 0; i < MAP_PATHS_MAX; i++)
		minors[i] = i + 1;
	set_map(minors);
	g_assert_true(paths_merge(&m));
	g_assert_cmpuint(m.n_paths, ==, MAP_PATHS_MAX);
	for (unsigned int i = 0; i < MAP_PATHS_MAX; i++)
		minors[i] = i + 2;
	set_map(minors);
	g_assert_true(paths_merge(&m));
	g_assert_cmpuint(m.n_paths, ==, MAP_PATHS_MAX);
	g_assert_true(m.paths[0].left);
	g_assert_false(m.paths[1].left);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/multipath/paths/outcome", test_outcome);
	g_test_add_func("/multipath/paths/others", test_others);
	g_test_add_func("/multipath/paths/many-others", test_many_others);
	g_test_add_func("/multipath/paths/merge", test_merge);
	g_test_add_func("/multipath/paths/left", test_left);
	g_test_add_func("/multipath/paths/merge-many", test_merge_many);
	return g_test_run();
}
