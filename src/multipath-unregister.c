/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REGISTER with the key 0. The hard rule: multipathd forgets the key before
 * the device does, or it would register a path that comes back in between;
 * where the device then refuses, multipathd gets it again.
 */
#include "multipath-step.h"

static const uint8_t rank[OUTCOME_GOOD + 1] = {
	[OUTCOME_UNREACHED] = 1, [OUTCOME_CONFLICT] = 2, [OUTCOME_REFUSED] = 3,
	[OUTCOME_ATTENTION] = 4, [OUTCOME_UNKNOWN] = 5,  [OUTCOME_GOOD] = 6,
};

static Command *request(const Multipath *m, size_t i)
{
	(void)i;
	return multipath_clients_request(m);
}

/* The holder's unregistration releases (SPC-4 5.12.11.3), but nothing can
 * unregister a path that is dead: the reservation is taken off it first. */
static void take_off_dead_path(Multipath *m, uint64_t key)
{
	ScsiPrReservation reservation;
	size_t i;

	if (multipath_has_dead_path(m) &&
	    multipath_count(m, OUTCOME_GOOD, &i) > 0 &&
	    multipath_read_reservation(m, i, &reservation) &&
	    reservation.held && reservation.key == key &&
	    multipath_holds(m, key, reservation.type))
		multipath_take_over(m, i, key, reservation.type);
}

static bool forget_key(const Multipath *m, const MultipathdAnswer *before)
{
	MultipathdAnswer answer = multipath_tell(m, MULTIPATHD_UNSET_STATUS);

	if (answer.result != MULTIPATHD_OK) {
		multipath_refuse_without_multipathd(m, answer.result);
		return false;
	}
	if (multipath_tell_key(m, 0, false))
		return true;
	if (before->key)
		multipath_tell(m, MULTIPATHD_SET_STATUS);
	return false;
}

static void remember_key(const Multipath *m, const MultipathdAnswer *before)
{
	if (!before->key)
		return;
	multipath_put_back(m, before);
	multipath_tell_or_warn(m, MULTIPATHD_SET_STATUS,
			       "paths that come back may not be registered");
}

/* A path with another key of this host's than the guest named. */
static void unregister_rest(Multipath *m)
{
	static const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY,
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

void multipath_unregister(Multipath *m, const MultipathdAnswer *before)
{
	bool ignore = m->command->pr.service_action ==
		      SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY;
	uint64_t key = ignore ? before->key : m->parameters.reservation_key;

	if (!multipath_probe(m) || !forget_key(m, before))
		return;
	take_off_dead_path(m, key);
	if (!multipath_on_all_paths(m, request, rank) ||
	    multipath_count(m, OUTCOME_GOOD, NULL) == 0) {
		remember_key(m, before);
		return;
	}
	unregister_rest(m);
	warn_of_rest(m);
	m->world->hold_set(m->world->data, (Hold) { .held = false });
}
