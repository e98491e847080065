/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of our own. The hard rule: a preemption names only a key that this
 * host is known to hold the reservation with.
 */
#include "own.h"

#include "key.h"
#include "read.h"

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
	/* The key is 0 where all registrants hold: that is not by us alone. */
	return hold->held && reservation->held && hold->key &&
	       hold->key == reservation->key &&
	       (!hold->type || hold->type == reservation->type);
}

Outcome multipath_join(Multipath *m, size_t i, uint64_t key, bool aptpl)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.service_action_key = key,
		.aptpl = aptpl,
	};
	Outcome outcome = multipath_find_key(m, i, key);

	return outcome == OUTCOME_GOOD ? multipath_do(m, i, &out) : outcome;
}

static void register_others(Multipath *m, size_t via, uint64_t key, bool aptpl)
{
	Multipath now = *m;
	size_t j;

	/* One that has come back has been taken out as well. */
	if (!m->world->read_map(m->world->data, &now.map))
		now.map = m->map;
	for (size_t i = 0; i < now.map.n_paths; i++) {
		bool is_via =
			map_find(&m->map, &now.map.paths[i], &j) && j == via;

		if (!is_via && now.map.paths[i].running)
			multipath_warn_unregistered(
				&now, i, multipath_join(&now, i, key, aptpl));
	}
}

void multipath_register_others(Multipath *m, size_t via, uint64_t key,
			       const MultipathdAnswer *known)
{
	/* It is we who took them out. */
	m->must = true;
	register_others(m, via, key, multipath_keeps_registrations(m, known));
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
		multipath_register_others(m, i, key, &known);
	return outcome;
}
