/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of the policy share: a guest's command, and the state of the unit,
 * of multipathd and of the helper's record before and after it.
 */
#ifndef MULTIPATH_SCENARIO_H
#define MULTIPATH_SCENARIO_H

#include "multipath-model.h"

#define NOBODY 0

/* What a device and multipathd are like, before or after. */
typedef struct State {
	uint64_t key[NEXUSES];
	unsigned int holder; /* NOBODY, or its nexus + 1 */
	uint64_t stored;     /* with multipathd */
	bool status, hold;
	bool aptpl;      /* of the unit; before, multipathd knows it */
	uint64_t record; /* the key that our record says we hold with */
} State;

static inline Command *command_out(uint8_t action, uint8_t type, uint64_t rk,
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

static inline void state_set(Model *m, const State *state, uint8_t type)
{
	memcpy(m->key, state->key, sizeof(m->key));
	m->reserved = state->holder != NOBODY;
	m->holder = m->reserved ? state->holder - 1 : 0;
	m->type = type ? type : SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY;
	m->stored = state->stored;
	m->status = state->status;
	m->hold = state->hold;
	m->aptpl = m->stored_aptpl = state->aptpl;
	m->record = (Hold) { state->record != 0, state->record, m->type };
}

static inline void state_assert(const Model *m, const State *state)
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

#endif
