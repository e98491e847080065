/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of our own. The hard rule: a preemption names only a key that this
 * host is known to hold the reservation with.
 */
#include "multipath-step.h"

static const uint8_t read_reservation_cdb[WIRE_CDB_SIZE] = {
	SCSI_PERSISTENT_RESERVE_IN,
	SCSI_PR_IN_READ_RESERVATION,
	0,
	0,
	0,
	0,
	0,
	0,
	SCSI_PR_RESERVATION_LENGTH
};

bool multipath_read_reservation(Multipath *m, size_t i,
				ScsiPrReservation *ret_reservation)
{
	bool got = false;

	for (int tries = 0; !got && tries < MULTIPATH_TRIES; tries++) {
		Command *attempt = multipath_request(read_reservation_cdb);

		got = multipath_send(m, i, attempt) == OUTCOME_GOOD &&
		      scsi_pr_reservation_get(attempt->data,
					      attempt->reply.size,
					      ret_reservation);
		command_free(attempt);
	}
	return got;
}

bool multipath_holds(const Multipath *m, uint64_t key, uint8_t type)
{
	const MultipathWorld *world = m->world;
	Hold hold = world->hold_get(world->data);
	MultipathdAnswer answer;

	if (hold.held)
		return hold.key == key && hold.type == type;
	answer = multipath_tell(m, MULTIPATHD_GET_HOLD);
	if (answer.result != MULTIPATHD_OK || !answer.hold)
		return false;
	answer = multipath_tell(m, MULTIPATHD_GET_KEY);
	return answer.result == MULTIPATHD_OK && answer.key == key;
}

void multipath_register_others(Multipath *m, size_t except, uint64_t key,
			       bool aptpl)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.service_action_key = key,
		.aptpl = aptpl,
	};

	for (size_t i = 0; i < m->map.n_paths; i++) {
		if (i == except || !m->map.paths[i].running)
			continue;
		multipath_warn_unregistered(m, i, multipath_do(m, i, &out));
	}
}

bool multipath_take_over(Multipath *m, size_t i, uint64_t key, uint8_t type)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_PREEMPT,
		.type = type,
		.reservation_key = key,
		.service_action_key = key,
	};
	MultipathdAnswer known = multipath_tell(m, MULTIPATHD_GET_KEY);

	if (multipath_do(m, i, &out) != OUTCOME_GOOD)
		return false;
	multipath_register_others(m, i, key, known.aptpl);
	return true;
}

static bool is_attention_for_client(Multipath *m, Outcome outcome,
				    bool *is_first, const Command *attempt)
{
	bool is_final = *is_first && outcome == OUTCOME_ATTENTION;

	if (is_final)
		command_take_answer(m->command, attempt);
	if (outcome != OUTCOME_UNREACHED && outcome != OUTCOME_UNKNOWN)
		*is_first = false;
	return is_final;
}

bool multipath_probe(Multipath *m)
{
	bool is_first = true, is_final = false;

	for (size_t i = 0; i < m->map.n_paths && !is_final; i++) {
		Command *attempt = multipath_request(read_reservation_cdb);

		m->outcome[i] = multipath_send(m, i, attempt);
		is_final = is_attention_for_client(m, m->outcome[i], &is_first,
						   attempt);
		command_free(attempt);
	}
	return !is_final;
}
