/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that is fenced stays out. The hard rule: only a registration with the
 * guest's own key is taken off.
 */
#include "fence.h"

#include "key.h"

/* Not with IGNORE: where the path has no such key this changes nothing. */
static Outcome change_key(Multipath *m, size_t i, uint64_t to)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER,
		.reservation_key = m->parameters.service_action_key,
		.service_action_key = to,
		.aptpl = m->parameters.aptpl,
	};

	return multipath_do(m, i, &out);
}

static bool may_be_registered(const Multipath *m, size_t i)
{
	return m->outcome[i] == OUTCOME_GOOD ||
	       m->outcome[i] == OUTCOME_UNKNOWN;
}

static void take_off(Multipath *m, size_t first)
{
	for (size_t i = 0; i < m->map.n_paths; i++) {
		Outcome outcome;

		if (i == first || !may_be_registered(m, i))
			continue;
		outcome = change_key(m, i, 0);
		if (outcome != OUTCOME_GOOD && outcome != OUTCOME_CONFLICT)
			multipath_warn(m,
				       "path %s may still be registered: "
				       "preempt its key again",
				       m->map.paths[i].name);
	}
}

bool multipath_was_fenced(Multipath *m, size_t first)
{
	bool fenced;

	/* On one path alone it cannot have come in between. */
	if (multipath_count(m, OUTCOME_CONFLICT, NULL) == 0 &&
	    multipath_count(m, OUTCOME_GOOD, NULL) +
			    multipath_count(m, OUTCOME_UNKNOWN, NULL) ==
		    1)
		return false;
	/* Late is when it matters: a path that hung gave the time. */
	m->must = true;
	fenced = change_key(m, first, m->parameters.service_action_key) ==
		 OUTCOME_CONFLICT;
	if (fenced)
		take_off(m, first);
	m->must = false;
	return fenced;
}
