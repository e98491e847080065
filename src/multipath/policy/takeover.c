/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of our own. The hard rule: a preemption names only a key that this
 * host is known to hold the reservation with.
 */
#include "takeover.h"

#include "ask-device.h"
#include "tell-multipathd.h"
#include "warn.h"

Hold takeover_known_hold(const Multipath *m, const MultipathdAnswer *known)
{
	const MultipathWorld *world = m->world;
	Hold hold = world->hold_get(world->data);
	MultipathdAnswer answer = { MULTIPATHD_FAILED };

	if (!hold.held)
		answer = tell_multipathd(m, MULTIPATHD_GET_HOLD);
	if (answer.result != MULTIPATHD_OK || !answer.hold)
		return hold;
	answer = known ? *known : tell_multipathd(m, MULTIPATHD_GET_KEY);
	return (Hold) {
		.held = answer.result == MULTIPATHD_OK && answer.key,
		.key = answer.key,
	};
}

bool takeover_is_held(const ScsiPrReservation *reservation, const Hold *hold)
{
	/* The key is 0 where all registrants hold: that is not by us alone. */
	return hold->held && reservation->held && hold->key &&
	       hold->key == reservation->key &&
	       (!hold->type || hold->type == reservation->type);
}

Outcome takeover_join(Multipath *m, size_t i, Send send, uint64_t key,
		      bool aptpl)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.service_action_key = key,
		.aptpl = aptpl,
	};
	Outcome outcome = ask_device_for_key(m, i, send, key);

	return outcome == OUTCOME_GOOD ? paths_do(m, i, send, &out) : outcome;
}

void takeover_register_others(Multipath *m, size_t via, uint64_t key,
			      const MultipathdAnswer *known)
{
	bool aptpl = ask_device_aptpl(m, known);

	/* One that has come back has been taken out as well. If the map cannot
	 * be read, its paths are those that are known. */
	paths_merge(m);
	for (size_t i = 0; i < m->n_paths; i++) {
		Path *path = &m->paths[i];

		/* It is we who took them out. */
		if (i != via && path->is.running)
			warn_unregistered(m, path,
					  takeover_join(m, i, send_in_any_case,
							key, aptpl),
					  0);
	}
}

Outcome takeover_reservation(Multipath *m, size_t i, uint64_t key, uint8_t type)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_PREEMPT,
		.type = type,
		.reservation_key = key,
		.service_action_key = key,
	};
	MultipathdAnswer known = tell_multipathd(m, MULTIPATHD_GET_KEY);
	Outcome outcome = paths_do(m, i, send_to_each, &out);

	if (outcome == OUTCOME_GOOD || outcome == OUTCOME_UNKNOWN)
		takeover_register_others(m, i, key, &known);
	return outcome;
}
