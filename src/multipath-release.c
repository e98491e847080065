/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RELEASE goes down every path, because only the one that reserved can release
 * (SPC-4 5.12.11.2): on the others it is GOOD and does nothing. The hard rule:
 * GOOD for the guest means that its reservation is gone.
 */
#include <glib.h>

#include "multipath-step.h"

/* A refusal by any path may be the holder's word; so may a conflict, which some
 * targets answer for a wrong type. What the dead paths would have said is found
 * out afterwards. */
static const uint8_t rank[OUTCOME_GOOD + 1] = {
	[OUTCOME_UNREACHED] = 1, [OUTCOME_UNKNOWN] = 2, [OUTCOME_GOOD] = 3,
	[OUTCOME_CONFLICT] = 4,  [OUTCOME_REFUSED] = 5, [OUTCOME_ATTENTION] = 6,
};

static Command *request(const Multipath *m, size_t i)
{
	(void)i;
	return multipath_clients_request(m);
}

static bool is_still_ours(Multipath *m, size_t i)
{
	ScsiPrReservation reservation;

	return !multipath_read_reservation(m, i, &reservation) ||
	       (reservation.held &&
		reservation.key == m->parameters.reservation_key);
}

static bool release_from_dead_path(Multipath *m, size_t i)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_RELEASE,
		.type = m->command->pr.type,
		.reservation_key = m->parameters.reservation_key,
	};

	return multipath_holds(m, out.reservation_key, out.type) &&
	       multipath_take_over(m, i, out.reservation_key, out.type) &&
	       multipath_do(m, i, &out) == OUTCOME_GOOD;
}

static void released(const Multipath *m)
{
	command_answer(m->command, SCSI_GOOD, NULL, 0, 0);
	m->world->hold_set(m->world->data, (Hold) { .held = false });
	multipath_tell(m, MULTIPATHD_UNSET_HOLD);
}

/* Some path, `i`, said GOOD, which is the word of every path but the holder. */
static void find_out(Multipath *m, size_t i)
{
	bool conflict = multipath_count(m, OUTCOME_CONFLICT, NULL) > 0;
	bool is_sure = !conflict && !multipath_has_dead_path(m);

	if (is_sure || !is_still_ours(m, i) ||
	    (!conflict && release_from_dead_path(m, i)))
		released(m);
	else if (!conflict) /* else that is the answer */
		command_refuse(m->command, sense_outcome_unknown,
			       "the reservation is still there, maybe through "
			       "a path that is dead; preempt it");
}

void multipath_release(Multipath *m)
{
	size_t i;

	if (multipath_on_all_paths(m, request, rank) &&
	    multipath_count(m, OUTCOME_REFUSED, NULL) == 0 &&
	    multipath_count(m, OUTCOME_ATTENTION, NULL) == 0 &&
	    multipath_count(m, OUTCOME_GOOD, &i) > 0)
		find_out(m, i);
}
