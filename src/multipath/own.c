/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of our own. The hard rule: a preemption names only a key that this
 * host is known to hold the reservation with.
 */
#include "multipath/own.h"

#include "bytes.h"
#include "multipath/key.h"

static const uint8_t read_reservation_cdb[WIRE_CDB_SIZE] = {
	SCSI_PERSISTENT_RESERVE_IN,
	SCSI_PR_IN_READ_RESERVATION, [8] = SCSI_PR_RESERVATION_LENGTH
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

Hold multipath_known_hold(const Multipath *m, const MultipathdAnswer *known)
{
	const MultipathWorld *world = m->world;
	Hold hold = world->hold_get(world->data);
	MultipathdAnswer answer = { MULTIPATHD_FAILED };

	if (!hold.held)
		answer = multipath_tell(m, MULTIPATHD_GET_HOLD);
	if (answer.result != MULTIPATHD_OK || !answer.hold)
		return hold;
	answer = known ? *known : multipath_tell(m, MULTIPATHD_GET_KEY);
	return (Hold) {
		.held = answer.result == MULTIPATHD_OK && answer.key,
		.key = answer.key,
	};
}

bool multipath_is_by(const ScsiPrReservation *reservation, const Hold *hold)
{
	return hold->held && reservation->held &&
	       hold->key == reservation->key &&
	       (!hold->type || hold->type == reservation->type);
}

static bool has_key(const Command *keys, uint64_t key)
{
	const uint8_t *bytes = keys->data;
	size_t size = keys->reply.size;

	/* A list that is cut off may have it. */
	if (size < 8 || be32_get(bytes + 4) > size - 8)
		return true;
	for (size_t at = 8; at + 8 <= 8 + (size_t)be32_get(bytes + 4); at += 8)
		if (be64_get(bytes + at) == key)
			return true;
	return false;
}

static bool is_registered(Multipath *m, size_t i, uint64_t key)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_IN,
				       SCSI_PR_IN_READ_KEYS };
	bool got = false, found = false;

	be16_put(cdb + 7, WIRE_DATA_MAX);
	for (int tries = 0; !got && tries < MULTIPATH_TRIES; tries++) {
		Command *attempt = multipath_request(cdb);

		got = multipath_send(m, i, attempt) == OUTCOME_GOOD;
		found = got && has_key(attempt, key);
		command_free(attempt);
	}
	return found;
}

Outcome multipath_join(Multipath *m, size_t via, size_t i, uint64_t key,
		       bool aptpl)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.service_action_key = key,
		.aptpl = aptpl,
	};

	/* Not asked for a path that could not be registered anyway. */
	if (m->map.paths[i].running && !is_registered(m, via, key))
		return OUTCOME_CONFLICT;
	return multipath_do(m, i, &out);
}

void multipath_register_others(Multipath *m, size_t via, uint64_t key,
			       bool aptpl)
{
	/* It is we who took them out. */
	m->must = true;
	for (size_t i = 0; i < m->map.n_paths; i++)
		if (i != via && m->map.paths[i].running)
			multipath_warn_unregistered(
				m, i, multipath_join(m, via, i, key, aptpl));
	m->must = false;
}

Outcome multipath_take_over(Multipath *m, size_t i, uint64_t key, uint8_t type)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_PREEMPT,
		.type = type,
		.reservation_key = key,
		.service_action_key = key,
	};
	MultipathdAnswer known = multipath_tell(m, MULTIPATHD_GET_KEY);
	Outcome outcome = multipath_do(m, i, &out);

	if (outcome == OUTCOME_GOOD || outcome == OUTCOME_UNKNOWN)
		multipath_register_others(m, i, key, known.aptpl);
	return outcome;
}
