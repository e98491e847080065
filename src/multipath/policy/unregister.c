/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REGISTER with the key 0. The hard rule: multipathd forgets the key before
 * the device does, or it would register a path that comes back in between;
 * where the device then refuses, multipathd gets it again.
 */
#include "unregister.h"

#include <glib.h>
#include <inttypes.h>

#include "key.h"
#include "own.h"
#include "read.h"

/* From 0.13 on it has forgotten the hold with the status. */
static void remember_status(const Multipath *m, const Hold *hold)
{
	multipath_tell_or_warn(m, MULTIPATHD_SET_STATUS,
			       "paths that come back may not be registered");
	if (hold->held)
		multipath_tell(m, MULTIPATHD_SET_HOLD);
}

static void remember_key(const Multipath *m, const MultipathdAnswer *before,
			 const Hold *hold)
{
	if (!before->key)
		return;
	multipath_put_back(m, before);
	remember_status(m, hold);
}

static bool forget_key(const Multipath *m, const MultipathdAnswer *before,
		       const Hold *hold)
{
	MultipathdResult result =
		multipath_tell(m, MULTIPATHD_UNSET_STATUS).result;
	bool status_is_off = result == MULTIPATHD_OK;

	if (status_is_off)
		result = multipath_tell_key(m, 0, false);
	if (result == MULTIPATHD_OK)
		return true;
	multipath_refuse_without_multipathd(m, result);
	if (multipath_may_have_done(result))
		remember_key(m, before, hold);
	else if (status_is_off && before->key)
		remember_status(m, hold);
	return false;
}

/* A path with another key of this host's than the guest named. */
static void unregister_rest(Multipath *m)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.aptpl = m->parameters.aptpl,
	};

	for (size_t i = 0; i < m->map.n_paths; i++)
		if (m->outcome[i] == OUTCOME_CONFLICT)
			m->outcome[i] = multipath_do(m, i, &out);
}

static void warn_of_rest(const Multipath *m)
{
	for (size_t i = 0; i < m->map.n_paths; i++)
		if (m->outcome[i] != OUTCOME_GOOD)
			multipath_warn(m,
				       "path %s could not be unregistered: "
				       "its registration stays until "
				       "another host preempts it",
				       m->map.paths[i].name);
}

static void warn_of_reservation(const Multipath *m, uint64_t key)
{
	multipath_warn(m,
		       "the reservation may stay, with key 0x%" PRIx64
		       ", through a path that is dead or has left the map: "
		       "another host can preempt it",
		       key);
}

/* The holder's unregistration releases (SPC-4 5.12.11.3), but nothing can
 * unregister a path that is dead or has left the map. A path that answers takes
 * the reservation over, and with it the registration; then it can. */
static void release_lost_path(Multipath *m, size_t i,
			      const ScsiPrReservation *reservation)
{
	const PrOut steps[] = {
		{ .service_action =
			  SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		  .service_action_key = reservation->key,
		  .aptpl = m->parameters.aptpl },
		{ .service_action = SCSI_PR_OUT_PREEMPT,
		  .type = reservation->type,
		  .reservation_key = reservation->key,
		  .service_action_key = reservation->key },
		{ .service_action =
			  SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		  .aptpl = m->parameters.aptpl },
	};
	Outcome outcomes[G_N_ELEMENTS(steps)];

	for (size_t step = 0; step < G_N_ELEMENTS(steps); step++) {
		outcomes[step] = multipath_do(m, i, &steps[step]);
		m->must = true; /* what is registered comes off again */
	}
	m->must = false;
	if (outcomes[1] != OUTCOME_GOOD)
		warn_of_reservation(m, reservation->key);
	if (outcomes[2] != OUTCOME_GOOD)
		multipath_warn(m,
			       "path %s may still be registered: another host "
			       "can preempt it",
			       m->map.paths[i].name);
}

static void release_rest(Multipath *m, size_t i, const Hold *hold)
{
	ScsiPrReservation reservation;

	if (!hold->held)
		return;
	if (!multipath_read_reservation(m, i, &reservation))
		warn_of_reservation(m, hold->key);
	else if (multipath_is_by(&reservation, hold))
		release_lost_path(m, i, &reservation);
}

void multipath_unregister(Multipath *m, const MultipathdAnswer *before)
{
	/* Asked now: multipathd forgets it with the key. */
	Hold hold = multipath_known_hold(m, before);
	size_t i;

	if (!forget_key(m, before, &hold))
		return;
	if (!multipath_on_all_paths(m, multipath_clients_request, NULL) ||
	    multipath_count(m, OUTCOME_GOOD, &i) == 0) {
		remember_key(m, before, &hold);
		return;
	}
	unregister_rest(m);
	warn_of_rest(m);
	release_rest(m, i, &hold);
	m->world->hold_set(m->world->data, (Hold) { .held = false });
}
