/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REGISTER and REGISTER AND IGNORE EXISTING KEY, which every path has to get.
 * The hard rule: multipathd knows the key before any path carries it, because
 * it registers the paths that come back, before they carry I/O; where the
 * device then refuses, multipathd gets the old key again.
 */
#include "register.h"

#include <glib.h>

#include "fence.h"
#include "key.h"
#include "own.h"
#include "read.h"
#include "unregister.h"

/* ALL_TG_PT registers all ports of the target with the initiator port at
 * once: other paths of that host have the key. */
static bool has_it_already(const Multipath *m, size_t i)
{
	for (size_t j = 0; j < i && m->parameters.all_tg_pt; j++)
		if (m->outcome[j] == OUTCOME_GOOD &&
		    m->map.paths[j].host == m->map.paths[i].host)
			return true;
	return false;
}

static PrOut own_registration(const Multipath *m)
{
	return (PrOut) {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
		.service_action_key = m->parameters.service_action_key,
		.aptpl = m->parameters.aptpl,
	};
}

static Command *request(const Multipath *m, size_t i)
{
	PrOut out = own_registration(m);

	if (has_it_already(m, i))
		return NULL;
	/* SPEC_I_PT registers other initiators as well: once is enough. */
	if (m->parameters.spec_i_pt &&
	    multipath_count(m, OUTCOME_GOOD, NULL) > 0)
		return multipath_own_request(m, &out);
	return multipath_clients_request(m, i);
}

static Outcome join(Multipath *m, size_t i)
{
	return multipath_join(m, i, m->parameters.service_action_key,
			      m->parameters.aptpl);
}

/* Paths that came back, or carry an older key of this host's, said conflict
 * where others took it. */
static void register_rest(Multipath *m)
{
	for (size_t i = 0; i < m->map.n_paths; i++)
		if (m->outcome[i] == OUTCOME_CONFLICT)
			m->outcome[i] = join(m, i);
}

/* What the path said that is path `i` now. */
static Outcome bring_along(Multipath *now, size_t i, const Multipath *m)
{
	size_t j;

	if (!map_find(&m->map, &now->map.paths[i], &j))
		return OUTCOME_UNREACHED;
	g_strlcpy(now->reason[i], m->reason[j], sizeof(now->reason[i]));
	return m->outcome[j];
}

/* Paths that joined the map, or came back, while the others were registered and
 * multipathd did not know to register them yet; and those that were only busy.
 * One that took all of its time gets no more. */
static void register_late(Multipath *m)
{
	Multipath now = *m;

	if (!m->world->read_map(m->world->data, &now.map)) {
		for (size_t i = 0; i < m->map.n_paths; i++)
			multipath_warn_unregistered(m, i, m->outcome[i]);
		return;
	}
	for (size_t i = 0; i < now.map.n_paths; i++) {
		Outcome outcome = bring_along(&now, i, m);

		if (outcome != OUTCOME_GOOD && outcome != OUTCOME_UNKNOWN)
			outcome = join(&now, i);
		multipath_warn_unregistered(&now, i, outcome);
	}
}

/* Takes a reservation over that a lost path holds under our old key. */
static bool take_over(Multipath *m, size_t i, ScsiPrReservation *reservation)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_PREEMPT,
		.type = reservation->type,
		.reservation_key = m->parameters.service_action_key,
		.service_action_key = reservation->key,
	};
	Outcome outcome = multipath_do(m, i, &out);

	if (outcome == OUTCOME_GOOD)
		reservation->key = out.reservation_key;
	else if (outcome != OUTCOME_UNKNOWN ||
		 !multipath_read_anywhere(m, reservation) ||
		 reservation->key != out.reservation_key)
		return false;
	m->old_key = 0; /* no path has it any more */
	return true;
}

/* multipathd knows it best: with IGNORE the guest need not say it. */
static uint64_t old_key(const Multipath *m, const MultipathdAnswer *before)
{
	uint64_t key = before->key;

	if (!key && m->command->pr.service_action == SCSI_PR_OUT_REGISTER)
		key = m->parameters.reservation_key;
	return key == m->parameters.service_action_key ? 0 : key;
}

/* The reservation goes with the registration; on a path that is dead, or has
 * left the map, it would stay behind under the old key. The record follows only
 * where the reservation did: RELEASE has to know what is still there. */
static void follow_key(Multipath *m, size_t i, const MultipathdAnswer *before)
{
	const MultipathWorld *world = m->world;
	uint64_t key = m->parameters.service_action_key;
	ScsiPrReservation reservation;
	Hold hold;

	hold = before->key && before->key != key
		       ? multipath_known_hold(m, before)
		       : world->hold_get(world->data);
	if (!hold.held || hold.key == key ||
	    !multipath_read_reservation(m, i, &reservation))
		return;
	if (multipath_is_by(&reservation, &hold) &&
	    !take_over(m, i, &reservation))
		return;
	world->hold_set(world->data, (Hold) {
					     .held = reservation.held &&
						     reservation.key == key,
					     .key = key,
					     .type = reservation.type,
				     });
}

/* Whether the device took us for somebody whom it does not know, and no path
 * that answered says otherwise. */
static bool was_unregistered(const Multipath *m)
{
	return m->command->pr.service_action == SCSI_PR_OUT_REGISTER &&
	       m->parameters.reservation_key == 0 && !m->parameters.spec_i_pt &&
	       multipath_count(m, OUTCOME_CONFLICT, NULL) == 0 &&
	       multipath_count(m, OUTCOME_REFUSED, NULL) == 0 &&
	       multipath_count(m, OUTCOME_ATTENTION, NULL) == 0;
}

/* Then it holds nothing by us: a reservation with the key that we remember is
 * another host's. */
static void forget_hold(const Multipath *m, const MultipathdAnswer *before)
{
	if (!before->key && !m->world->hold_get(m->world->data).held)
		return;
	m->world->hold_set(m->world->data, (Hold) { .held = false });
	multipath_tell(m, MULTIPATHD_UNSET_HOLD);
}

/* The guest's command was done all the same, and it hears so: it has been
 * fenced right after. */
static void stay_out(const Multipath *m)
{
	/* Another helper may serve the map as well. */
	if (multipath_tell(m, MULTIPATHD_GET_KEY).key ==
	    m->parameters.service_action_key)
		multipath_forget(m);
	multipath_warn(m, "another host has preempted the guest's key while it "
			  "was being registered: it is off all paths again");
}

/* Path `i` was the first that took the key. */
static void settle(Multipath *m, size_t i, const MultipathdAnswer *before)
{
	bool is_new = was_unregistered(m);

	m->old_key = old_key(m, before);
	register_rest(m);
	if (multipath_was_fenced(m, i)) {
		stay_out(m);
		return;
	}
	multipath_tell_or_warn(m, MULTIPATHD_SET_STATUS,
			       "paths that come back may not be registered");
	if (is_new)
		forget_hold(m, before);
	else
		follow_key(m, i, before);
	register_late(m);
}

static void set_key(Multipath *m, const MultipathdAnswer *before)
{
	MultipathdResult result = multipath_tell_key(
		m, m->parameters.service_action_key, m->parameters.aptpl);
	size_t i;

	if (result != MULTIPATHD_OK) {
		multipath_refuse_without_multipathd(m, result);
		if (multipath_may_have_done(result))
			multipath_put_back(m, before);
		return;
	}
	/* One path that took the key is a registration. */
	if (!multipath_on_all_paths(m, request, NULL) ||
	    multipath_count(m, OUTCOME_GOOD, &i) == 0)
		multipath_put_back(m, before);
	else
		settle(m, i, before);
}

void multipath_register(Multipath *m)
{
	MultipathdAnswer before = multipath_tell(m, MULTIPATHD_GET_KEY);

	if (before.result == MULTIPATHD_FAILED)
		command_refuse(m->command, FAILURE_NOT_SUPPORTED,
			       "multipathd does not know the map; add it with "
			       "multipathd add map %s",
			       m->map.name);
	else if (before.result != MULTIPATHD_OK)
		multipath_refuse_without_multipathd(m, before.result);
	else if (m->parameters.service_action_key)
		set_key(m, &before);
	else
		multipath_unregister(m, &before);
}
