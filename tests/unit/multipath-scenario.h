/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios for the policy: what the paths and multipathd are like, what the
 * guest sends, and then who was asked what in which order, what the guest
 * hears, and what is left on the unit.
 */
#ifndef MULTIPATH_SCENARIO_H
#define MULTIPATH_SCENARIO_H

#include "multipath-model.h"

#define K  0x111 /* our key */
#define K2 0x222 /* our next one */
#define KO 0x999 /* the other host's */

#define WERO SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY
#define WEAR SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS

#define REGISTER SCSI_PR_OUT_REGISTER
#define IGNORE   SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY
#define RESERVE  SCSI_PR_OUT_RESERVE
#define RELEASE  SCSI_PR_OUT_RELEASE
#define CLEAR    SCSI_PR_OUT_CLEAR
#define PREEMPT  SCSI_PR_OUT_PREEMPT

#define CONFLICT SCSI_RESERVATION_CONFLICT
#define CHECK    SCSI_CHECK_CONDITION

#define NOBODY   0
#define BY_A     1
#define BY_B     2
#define BY_C     3 /* a path of ours that has left the map */
#define BY_OTHER (OTHER + 1)

#define UNKNOWN                 \
	{                       \
		0xb, 0x2e, 0x02 \
	}
#define NO_PATH                 \
	{                       \
		0xb, 0x05, 0x00 \
	}
#define ATTENTION               \
	{                       \
		0x6, 0x2a, 0x03 \
	}

/* What a device and multipathd are like, before or after. */
typedef struct State {
	uint64_t key[NEXUSES];
	unsigned int holder; /* BY_A, ... */
	uint64_t stored;     /* with multipathd */
	bool status, hold;
	bool aptpl;      /* of the unit; before, multipathd knows it */
	uint64_t record; /* the key that our record says we hold with */
} State;

typedef struct Scenario {
	const char *name;
	State before;
	PathState path[OURS];
	bool attention[NEXUSES];
	unsigned int n_paths, later_paths;
	MultipathdResult multipathd, refuses[MULTIPATHD_VERB_COUNT];
	bool knows_hold;   /* multipathd 0.13 or newer */
	uint8_t held_type; /* 0: the command's */
	bool loses_race;   /* to the other host, before a PREEMPT of ours */
	int mute;          /* as in Model */
	bool revives, no_preempt, many_keys;
	const char *late_after, *fenced_after, *lost_after, *dies_after;

	uint8_t action, type;
	uint64_t rk, sark;
	uint8_t flags; /* byte 20: APTPL 1, ALL_TG_PT 4, SPEC_I_PT 8 */

	const char *trace;
	uint8_t status;
	ScsiSense sense;
	State after;
	const char *warning; /* a part of it; NULL: none */
	const char *unsaid;  /* no part of it */
} Scenario;

#define REGISTERED                                           \
	{                                                    \
		.key = { K, K }, .stored = K, .status = true \
	}
#define KEPT_RESERVED_BY_A                                           \
	{                                                            \
		.key = { K, K, 0, KO }, .holder = BY_A, .stored = K, \
		.status = true, .record = K, .aptpl = true           \
	}
#define RESERVED_BY_A                                                \
	{                                                            \
		.key = { K, K, 0, KO }, .holder = BY_A, .stored = K, \
		.status = true, .record = K                          \
	}
/* Paths that stay away are deleted in the end; the device knows the nexus yet.
 */
#define RESERVED_BY_LEFT                                             \
	{                                                            \
		.key = { K, K, K, KO }, .holder = BY_C, .stored = K, \
		.status = true, .record = K                          \
	}
#define RESERVED_BY_OTHER                                                \
	{                                                                \
		.key = { K, K, 0, KO }, .holder = BY_OTHER, .stored = K, \
		.status = true                                           \
	}

static Command *command_out(uint8_t action, uint8_t type, uint64_t rk,
			    uint64_t sark, uint8_t flags)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT, action,
				       type };
	Command *command;
	ScsiPrCdb pr;

	be32_put(cdb + 5, SCSI_PR_PARAMETERS_LENGTH);
	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, -1);
	memset(command->data, 0, SCSI_PR_PARAMETERS_LENGTH);
	be64_put(command->data, rk);
	be64_put(command->data + 8, sark);
	command->data[20] = flags;
	return command;
}

static void state_set(Model *m, const State *state, uint8_t type)
{
	memcpy(m->key, state->key, sizeof(m->key));
	m->reserved = state->holder != NOBODY;
	m->holder = m->reserved ? state->holder - 1 : 0;
	m->type = type ? type : WERO;
	m->stored = state->stored;
	m->status = state->status;
	m->hold = state->hold;
	m->aptpl = m->stored_aptpl = state->aptpl;
	m->record = (Hold) { state->record != 0, state->record, m->type };
}

static void state_assert(const Model *m, const State *state)
{
	for (size_t i = 0; i < NEXUSES; i++)
		g_assert_cmphex(m->key[i], ==, state->key[i]);
	g_assert_cmpuint(m->reserved ? m->holder + 1 : NOBODY, ==,
			 state->holder);
	g_assert_cmphex(m->stored, ==, state->stored);
	g_assert_cmpint(m->status, ==, state->status);
	g_assert_cmpint(m->hold, ==, state->hold);
	g_assert_cmpint(m->aptpl, ==, state->aptpl);
	g_assert_cmphex(m->record.held ? m->record.key : 0, ==, state->record);
}

static void run_scenario(gconstpointer data)
{
	const Scenario *s = data;
	Command *command =
		command_out(s->action, s->type, s->rk, s->sark, s->flags);
	Model m;

	model_init(&m);
	state_set(&m, &s->before, s->held_type ? s->held_type : s->type);
	m.loses_race = s->loses_race;
	m.mute = s->mute;
	m.revives = s->revives;
	m.no_preempt = s->no_preempt;
	m.many_keys = s->many_keys;
	m.late_after = s->late_after;
	m.fenced_after = s->fenced_after;
	m.lost_after = s->lost_after;
	m.dies_after = s->dies_after;
	memcpy(m.path, s->path, sizeof(m.path));
	memcpy(m.attention, s->attention, sizeof(m.attention));
	if (s->n_paths)
		m.n_paths = s->n_paths == (unsigned int)-2 ? 0 : s->n_paths;
	m.later_paths = s->later_paths;
	m.multipathd = s->multipathd;
	memcpy(m.refuses, s->refuses, sizeof(m.refuses));
	m.has_hold = s->knows_hold;

	model_run(&m, command);
	g_assert_cmpstr(m.trace->str, ==, s->trace);
	g_assert_cmphex(command->reply.status, ==, s->status);
	g_assert_cmpuint(command->reply.size, ==, 0);
	if (s->status == CHECK)
		assert_sense(command->reply.sense, WIRE_SENSE_SIZE, s->sense);
	state_assert(&m, &s->after);
	if (s->warning)
		g_assert_nonnull(strstr(m.warnings->str, s->warning));
	else
		g_assert_cmpstr(m.warnings->str, ==, "");
	if (s->unsaid)
		g_assert_null(strstr(m.warnings->str, s->unsaid));
	command_free(command);
	model_deinit(&m);
}

static inline void scenarios_add(const char *group, const Scenario *scenarios,
				 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		g_autofree char *path = g_strdup_printf(
			"/multipath/%s/%s", group, scenarios[i].name);

		g_test_add_data_func(path, &scenarios[i], run_scenario);
	}
}

/* Those of the table of that name. */
#define SCENARIOS_ADD(group)                     \
	scenarios_add(#group, group##_scenarios, \
		      G_N_ELEMENTS(group##_scenarios))

#endif
