/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REGISTER and REGISTER AND IGNORE EXISTING KEY, which every path has to get.
 * The hard rule: multipathd knows the key before any path carries it, because
 * it registers the paths that come back, before they carry I/O; where the
 * device then refuses, multipathd gets the old key again.
 */
#include <glib.h>

#include "actions.h"
#include "ask-device.h"
#include "fenced.h"
#include "takeover.h"
#include "tell-multipathd.h"
#include "warn.h"

/* ALL_TG_PT registers all ports of the target with the initiator port at
 * once: other paths of that host have the key. */
static bool register_has_it(const Multipath *m, size_t i)
{
	for (size_t j = 0; j < i && m->parameters.all_tg_pt; j++)
		if (m->paths[j].outcome == OUTCOME_GOOD &&
		    m->paths[j].is.host == m->paths[i].is.host)
			return true;
	return false;
}

static PrOut register_own(const Multipath *m)
{
	return (PrOut) {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.service_action_key = m->parameters.service_action_key,
		.aptpl = m->parameters.aptpl,
	};
}

static Command *register_request(const Multipath *m, size_t i)
{
	PrOut out = register_own(m);

	if (register_has_it(m, i))
		return NULL;
	/* SPEC_I_PT registers other initiators as well: once is enough. */
	if (m->parameters.spec_i_pt && paths_count(m, OUTCOME_GOOD, NULL) > 0)
		return paths_out_request(m, &out);
	return paths_clients_request(m, i);
}

static Outcome register_join(Multipath *m, size_t i)
{
	return takeover_join(m, i, send_to_each,
			     m->parameters.service_action_key,
			     m->parameters.aptpl);
}

/* Paths that came back, or carry an older key of this host's, said conflict
 * where others took it. */
static void register_rest(Multipath *m)
{
	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i].outcome == OUTCOME_CONFLICT)
			m->paths[i].outcome = register_join(m, i);
}

/* Paths that joined the map, or came back, while the others were registered and
 * multipathd did not know to register them yet; and those that were only busy.
 * One that took all of its time gets no more. */
static void register_late(Multipath *m, uint64_t old_key)
{
	bool is_there = paths_merge(m);

	for (size_t i = 0; i < m->n_paths; i++) {
		Path *path = &m->paths[i];

		if (path->left)
			continue;
		if (is_there && path->outcome != OUTCOME_GOOD &&
		    path->outcome != OUTCOME_UNKNOWN)
			path->outcome = register_join(m, i);
		warn_unregistered(m, path, path->outcome, old_key);
	}
}

/* Takes a reservation over that a lost path holds under our old key; then no
 * path has that key any more. */
static bool register_take_over(Multipath *m, size_t i,
			       ScsiPrReservation *reservation)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_PREEMPT,
		.type = reservation->type,
		.reservation_key = m->parameters.service_action_key,
		.service_action_key = reservation->key,
	};
	Outcome outcome = paths_do(m, i, send_to_each, &out);

	if (outcome == OUTCOME_GOOD)
		reservation->key = out.reservation_key;
	else if (outcome != OUTCOME_UNKNOWN ||
		 !ask_device_reservation_anywhere(m, reservation) ||
		 reservation->key != out.reservation_key)
		return false;
	return true;
}

/* By which key the device knows paths that the REGISTER does not reach; 0: by
 * the new one, or by none. multipathd knows it best: with IGNORE the guest need
 * not say it. */
static uint64_t register_old_key(const Multipath *m,
				 const MultipathdAnswer *before)
{
	uint64_t key = before->key;

	if (!key && m->command->pr.service_action == SCSI_PR_OUT_REGISTER)
		key = m->parameters.reservation_key;
	return key == m->parameters.service_action_key ? 0 : key;
}

/* The reservation goes with the registration; on a path that is dead, or has
 * left the map, it would stay behind under the old key. The record follows only
 * where the reservation did: RELEASE has to know what is still there. True: no
 * path has the old key any more. */
static bool register_follow_key(Multipath *m, size_t i,
				const MultipathdAnswer *before)
{
	const MultipathWorld *world = m->world;
	uint64_t key = m->parameters.service_action_key;
	ScsiPrReservation reservation;
	bool is_lost;
	Hold hold;

	hold = before->key && before->key != key
		       ? takeover_known_hold(m, before)
		       : world->hold_get(world->data);
	if (!hold.held || hold.key == key ||
	    !ask_device_reservation(m, i, &reservation))
		return false;
	is_lost = takeover_is_held(&reservation, &hold);
	if (is_lost && !register_take_over(m, i, &reservation))
		return false;
	world->hold_set(world->data, (Hold) {
					     .held = reservation.held &&
						     reservation.key == key,
					     .key = key,
					     .type = reservation.type,
				     });
	return is_lost;
}

/* Whether the device took us for somebody whom it does not know, and no path
 * that answered says otherwise. */
static bool register_is_new(const Multipath *m)
{
	return m->command->pr.service_action == SCSI_PR_OUT_REGISTER &&
	       m->parameters.reservation_key == 0 && !m->parameters.spec_i_pt &&
	       paths_count(m, OUTCOME_CONFLICT, NULL) == 0 &&
	       paths_count(m, OUTCOME_REFUSED, NULL) == 0 &&
	       paths_count(m, OUTCOME_ATTENTION, NULL) == 0;
}

/* Then it holds nothing by us: a reservation with the key that we remember is
 * another host's. */
static void register_forget_hold(const Multipath *m,
				 const MultipathdAnswer *before)
{
	if (!before->key && !m->world->hold_get(m->world->data).held)
		return;
	m->world->hold_set(m->world->data, (Hold) { .held = false });
	tell_multipathd(m, MULTIPATHD_UNSET_HOLD);
}

/* The guest's command was done all the same, and it hears so: it has been
 * fenced right after. */
static void register_stay_out(const Multipath *m)
{
	/* Another helper may serve the map as well. */
	if (tell_multipathd(m, MULTIPATHD_GET_KEY).key ==
	    m->parameters.service_action_key)
		tell_multipathd_to_forget(m);
	warn_operator(m, "another host has preempted the guest's key while it "
			 "was being registered: it is off all paths again");
}

/* Path `i` was the first that took the key. */
static void register_settle(Multipath *m, size_t i,
			    const MultipathdAnswer *before)
{
	uint64_t old_key = register_old_key(m, before);
	bool is_new = register_is_new(m);

	register_rest(m);
	if (fenced_meanwhile(m, i)) {
		register_stay_out(m);
		return;
	}
	tell_multipathd_or_warn(m, MULTIPATHD_SET_STATUS,
				"paths that come back may not be registered");
	if (is_new)
		register_forget_hold(m, before);
	else if (register_follow_key(m, i, before))
		old_key = 0;
	register_late(m, old_key);
}

static void register_set_key(Multipath *m, const MultipathdAnswer *before)
{
	MultipathdResult result = tell_multipathd_key(
		m, m->parameters.service_action_key, m->parameters.aptpl);
	size_t i;

	if (result != MULTIPATHD_OK) {
		tell_multipathd_refuse(m, result);
		if (tell_multipathd_may_have_done(result))
			tell_multipathd_old_key(m, before);
		return;
	}
	/* One path that took the key is a registration. */
	if (!paths_send_to_all(m, register_request, NULL) ||
	    paths_count(m, OUTCOME_GOOD, &i) == 0)
		tell_multipathd_old_key(m, before);
	else
		register_settle(m, i, before);
}

void register_execute(Multipath *m)
{
	MultipathdAnswer before = tell_multipathd(m, MULTIPATHD_GET_KEY);

	if (before.result == MULTIPATHD_FAILED)
		command_refuse(m->command, FAILURE_NOT_SUPPORTED,
			       "multipathd does not know the map; add it with "
			       "multipathd add map %s",
			       m->map_name);
	else if (before.result != MULTIPATHD_OK)
		tell_multipathd_refuse(m, before.result);
	else if (m->parameters.service_action_key)
		register_set_key(m, &before);
	else
		unregister_execute(m, &before);
}
