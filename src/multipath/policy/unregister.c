/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REGISTER with the key 0. The hard rule: multipathd forgets the key before
 * the device does, or it would register a path that comes back in between;
 * where the device then refuses, multipathd gets it again.
 */
#include <glib.h>
#include <inttypes.h>

#include "actions.h"
#include "ask-device.h"
#include "takeover.h"
#include "tell-multipathd.h"
#include "warn.h"

/* From 0.13 on it has forgotten the hold with the status. */
static void unregister_remember_status(const Multipath *m, const Hold *hold)
{
	tell_multipathd_or_warn(m, MULTIPATHD_SET_STATUS,
				"paths that come back may not be registered");
	if (hold->held)
		tell_multipathd(m, MULTIPATHD_SET_HOLD);
}

static void unregister_remember_key(const Multipath *m,
				    const MultipathdAnswer *before,
				    const Hold *hold)
{
	if (!before->key)
		return;
	tell_multipathd_old_key(m, before);
	unregister_remember_status(m, hold);
}

static bool unregister_forget_key(const Multipath *m,
				  const MultipathdAnswer *before,
				  const Hold *hold)
{
	MultipathdResult result =
		tell_multipathd(m, MULTIPATHD_UNSET_STATUS).result;
	bool status_is_off = result == MULTIPATHD_OK;

	if (status_is_off)
		result = tell_multipathd_key(m, 0, false);
	if (result == MULTIPATHD_OK)
		return true;
	tell_multipathd_refuse(m, result);
	if (tell_multipathd_may_have_done(result))
		unregister_remember_key(m, before, hold);
	else if (status_is_off && before->key)
		unregister_remember_status(m, hold);
	return false;
}

/* A path with another key of this host's than the guest named. */
static void unregister_others(Multipath *m)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.aptpl = m->parameters.aptpl,
	};

	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i].outcome == OUTCOME_CONFLICT)
			m->paths[i].outcome =
				paths_do(m, i, send_to_each, &out);
}

static void unregister_warn(const Multipath *m)
{
	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i].outcome != OUTCOME_GOOD)
			warn_operator(m,
				      "path %s could not be unregistered: "
				      "its registration stays until "
				      "another host preempts it",
				      m->paths[i].is.name);
}

static void unregister_warn_of_reservation(const Multipath *m, uint64_t key)
{
	warn_operator(m,
		      "the reservation may stay, with key 0x%" PRIx64
		      ", through a path that is dead or has left the map: "
		      "another host can preempt it",
		      key);
}

/* The holder's unregistration releases (SPC-4 5.12.11.3), but nothing can
 * unregister a path that is dead or has left the map. A path that answers takes
 * the reservation over, and with it the registration; then it can. */
static void unregister_lost_path(Multipath *m, size_t i,
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

	/* What is registered comes off again, however late it is. */
	for (size_t step = 0; step < G_N_ELEMENTS(steps); step++)
		outcomes[step] = paths_do(
			m, i, step == 0 ? send_to_each : send_in_any_case,
			&steps[step]);
	if (outcomes[1] != OUTCOME_GOOD)
		unregister_warn_of_reservation(m, reservation->key);
	if (outcomes[2] != OUTCOME_GOOD)
		warn_operator(m,
			      "path %s may still be registered: another host "
			      "can preempt it",
			      m->paths[i].is.name);
}

static void unregister_holder(Multipath *m, size_t i, const Hold *hold)
{
	ScsiPrReservation reservation;

	if (!hold->held)
		return;
	if (!ask_device_reservation(m, i, &reservation))
		unregister_warn_of_reservation(m, hold->key);
	else if (takeover_is_held(&reservation, hold))
		unregister_lost_path(m, i, &reservation);
}

void unregister_execute(Multipath *m, const MultipathdAnswer *before)
{
	/* Asked now: multipathd forgets it with the key. */
	Hold hold = takeover_known_hold(m, before);
	size_t i;

	if (!unregister_forget_key(m, before, &hold))
		return;
	if (!paths_send_to_all(m, paths_clients_request, NULL) ||
	    paths_count(m, OUTCOME_GOOD, &i) == 0) {
		unregister_remember_key(m, before, &hold);
		return;
	}
	unregister_others(m);
	unregister_warn(m);
	unregister_holder(m, i, &hold);
	m->world->hold_set(m->world->data, (Hold) { .held = false });
}
