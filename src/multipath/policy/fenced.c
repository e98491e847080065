/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that is fenced stays out. The hard rule: only a registration with the
 * guest's own key is taken off.
 */
#include "fenced.h"

#include "warn.h"

/* Not with IGNORE: if the path has no such key this changes nothing. Late is
 * when it matters: a path that hung gave the time to fence us. */
static Outcome fenced_change_key(Multipath *m, size_t i, uint64_t to)
{
	const PrOut out = {
		.service_action = SCSI_PR_OUT_REGISTER,
		.reservation_key = m->parameters.service_action_key,
		.service_action_key = to,
		.aptpl = m->parameters.aptpl,
	};

	return paths_do(m, i, send_in_any_case, &out);
}

static bool fenced_may_be_registered(const Path *path)
{
	return path->outcome == OUTCOME_GOOD ||
	       path->outcome == OUTCOME_UNKNOWN;
}

static void fenced_take_off(Multipath *m, size_t first)
{
	for (size_t i = 0; i < m->n_paths; i++) {
		Outcome outcome;

		if (i == first || !fenced_may_be_registered(&m->paths[i]))
			continue;
		outcome = fenced_change_key(m, i, 0);
		if (outcome != OUTCOME_GOOD && outcome != OUTCOME_CONFLICT)
			warn_operator(m,
				      "path %s may still be registered: "
				      "preempt its key again",
				      m->paths[i].is.name);
	}
}

bool fenced_meanwhile(Multipath *m, size_t first)
{
	/* On one path alone it cannot have come in between. */
	if (paths_count(m, OUTCOME_CONFLICT, NULL) == 0 &&
	    paths_count(m, OUTCOME_GOOD, NULL) +
			    paths_count(m, OUTCOME_UNKNOWN, NULL) ==
		    1)
		return false;
	if (fenced_change_key(m, first, m->parameters.service_action_key) !=
	    OUTCOME_CONFLICT)
		return false;
	fenced_take_off(m, first);
	return true;
}
