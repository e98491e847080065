/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RELEASE goes down every path, because only the one that reserved can release
 * (SPC-4 5.12.11.2): on the others it is GOOD and does nothing. The hard rule:
 * GOOD for the guest means that its reservation is gone.
 */
#include "actions.h"
#include "ask-device.h"
#include "takeover.h"
#include "tell-multipathd.h"

/* A refusal by any path may be the holder's word; so may a conflict, which some
 * targets answer for a wrong type. What lost paths would have said is found out
 * afterwards. */
static const uint8_t release_rank[OUTCOME_GOOD + 1] = {
	[OUTCOME_UNREACHED] = 1, [OUTCOME_UNKNOWN] = 2, [OUTCOME_GOOD] = 3,
	[OUTCOME_CONFLICT] = 4,  [OUTCOME_REFUSED] = 5, [OUTCOME_ATTENTION] = 6,
};

/* The type tells as well: RELEASE with another one than the reservation's is an
 * error (SPC-4 5.12.11.2.2), also where only a lost path could say so. */
static bool release_from_lost_path(Multipath *m, size_t i,
				   const ScsiPrReservation *reservation)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_RELEASE,
		.type = m->command->pr.type,
		.reservation_key = m->parameters.reservation_key,
	};
	Hold hold;

	if (reservation->key != out.reservation_key ||
	    reservation->type != out.type)
		return false;
	hold = takeover_known_hold(m, NULL);
	return takeover_is_held(reservation, &hold) &&
	       takeover_reservation(m, i, out.reservation_key, out.type) ==
		       OUTCOME_GOOD &&
	       paths_do(m, i, send_to_each, &out) == OUTCOME_GOOD;
}

/* By the guest's key, or by an older one that could not be changed with it. */
static bool release_is_ours(const Multipath *m,
			    const ScsiPrReservation *reservation)
{
	Hold hold = m->world->hold_get(m->world->data);

	return reservation->held &&
	       (reservation->key == m->parameters.reservation_key ||
		takeover_is_held(reservation, &hold));
}

static void release_is_done(const Multipath *m)
{
	command_answer(m->command, SCSI_GOOD, NULL, 0, 0);
	m->world->hold_set(m->world->data, (Hold) { .held = false });
	tell_multipathd(m, MULTIPATHD_UNSET_HOLD);
}

/* Some path, `i`, said GOOD, which is the word of every path but the holder: of
 * one that is dead, or that has left the map, only the device can tell. */
static void release_find_out(Multipath *m, size_t i)
{
	bool conflict = paths_count(m, OUTCOME_CONFLICT, NULL) > 0;
	ScsiPrReservation reservation;
	bool is_known = ask_device_reservation(m, i, &reservation);

	if (is_known && (!release_is_ours(m, &reservation) ||
			 release_from_lost_path(m, i, &reservation)))
		release_is_done(m);
	else if (!conflict) /* else that is the answer */
		command_refuse(m->command, FAILURE_OUTCOME_UNKNOWN,
			       "the reservation may still be there, through a "
			       "path that is dead or has left the map; "
			       "preempt it");
}

void release_execute(Multipath *m)
{
	size_t i;

	if (paths_send_to_all(m, paths_clients_request, release_rank) &&
	    paths_count(m, OUTCOME_REFUSED, NULL) == 0 &&
	    paths_count(m, OUTCOME_ATTENTION, NULL) == 0 &&
	    paths_count(m, OUTCOME_GOOD, &i) > 0)
		release_find_out(m, i);
}
