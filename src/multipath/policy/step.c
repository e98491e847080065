/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hard rule: a command of the client's is sent unchanged or not at all.
 */
#include "step.h"

#include <glib.h>
#include <string.h>

#include "base/bytes.h"

/* Of 25 seconds the first path gets five then, and nine that hang leave the
 * tenth its least. */
#define OTHERS_MOST 4

static ScsiSense sense_of(const Command *attempt)
{
	ScsiSense sense = { SCSI_SENSE_NO_SENSE };

	scsi_sense_get(attempt->reply.sense, WIRE_SENSE_SIZE, &sense);
	return sense;
}

/* LOGICAL UNIT NOT SUPPORTED: the storage maps the unit to this path no
 * longer. */
static bool is_unmapped(ScsiSense sense)
{
	return sense.key == SCSI_SENSE_ILLEGAL_REQUEST && sense.asc == 0x25;
}

static Outcome outcome_of_check(const Command *attempt)
{
	ScsiSense sense = sense_of(attempt);

	if (is_unmapped(sense))
		return OUTCOME_UNREACHED;
	switch (sense.key) {
	case SCSI_SENSE_NOT_READY:
		return OUTCOME_UNREACHED;
	case SCSI_SENSE_UNIT_ATTENTION:
		return OUTCOME_ATTENTION;
	default:
		return OUTCOME_REFUSED;
	}
}

static Outcome outcome_of_failure(Failure failure)
{
	return failure == FAILURE_OUTCOME_UNKNOWN ||
			       failure == FAILURE_DISRUPTED
		       ? OUTCOME_UNKNOWN
		       : OUTCOME_UNREACHED;
}

Outcome multipath_outcome(const Command *attempt)
{
	if (attempt->failure)
		return outcome_of_failure(attempt->failure);
	switch (attempt->reply.status) {
	case SCSI_GOOD:
		return OUTCOME_GOOD;
	case SCSI_RESERVATION_CONFLICT:
		return OUTCOME_CONFLICT;
	case SCSI_CHECK_CONDITION:
		return outcome_of_check(attempt);
	default:
		return OUTCOME_REFUSED;
	}
}

Command *multipath_clients_request(const Multipath *m, size_t i)
{
	(void)i;
	return command_new_substitute(m->command);
}

Command *multipath_request(const uint8_t cdb[WIRE_CDB_SIZE])
{
	ScsiPrCdb pr = { 0 };

	scsi_pr_cdb_get(cdb, &pr);
	return command_new(cdb, &pr, -1);
}

Command *multipath_own_request(const Multipath *m, const PrOut *out)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
				       out->service_action, out->type };
	Command *request;

	be32_put(cdb + 5, SCSI_PR_PARAMETERS_LENGTH);
	request = multipath_request(cdb);
	request->peer = m->command->peer;
	memset(request->data, 0, SCSI_PR_PARAMETERS_LENGTH);
	be64_put(request->data, out->reservation_key);
	be64_put(request->data + 8, out->service_action_key);
	request->data[20] = out->aptpl;
	return request;
}

size_t multipath_others(const Multipath *m, size_t i)
{
	size_t others = 0;

	for (size_t j = i + 1; j < m->map.n_paths; j++)
		others += m->map.paths[j].running;
	return m->until_one ? MIN(others, OTHERS_MOST) : others;
}

/* Why a path was not reached that said this. */
static const char *reason_of(const Command *attempt)
{
	if (attempt->failure)
		return attempt->reason;
	return is_unmapped(sense_of(attempt))
		       ? "the device does not know the unit there"
		       : "it is not ready";
}

Outcome multipath_send(Multipath *m, size_t i, Command *attempt)
{
	const MapPath *path = &m->map.paths[i];

	if (path->running)
		m->world->send(m->world->data, path, multipath_others(m, i),
			       m->must, attempt);
	else
		command_refuse(attempt, FAILURE_NO_PATH,
			       "path %s is not running", path->name);
	g_strlcpy(m->reason[i], reason_of(attempt), sizeof(m->reason[i]));
	return multipath_outcome(attempt);
}

Outcome multipath_do(Multipath *m, size_t i, const PrOut *out)
{
	Outcome outcome = OUTCOME_ATTENTION;

	for (int tries = 0;
	     outcome == OUTCOME_ATTENTION && tries < MULTIPATH_TRIES; tries++) {
		Command *attempt = multipath_own_request(m, out);

		outcome = multipath_send(m, i, attempt);
		command_free(attempt);
	}
	return outcome;
}

static void refuse_without_path(Multipath *m)
{
	command_refuse(m->command, FAILURE_NO_PATH, "the map has no path");
}

/* Sends down one path of all, and again on a unit attention that may be our own
 * doing; *ret_attempt is what it was answered. */
static Outcome ask(Multipath *m, MultipathRequest *request, size_t i,
		   bool may_be_ours, Command **ret_attempt)
{
	int tries = may_be_ours ? MULTIPATH_TRIES : 1;
	Outcome outcome = OUTCOME_ATTENTION;

	*ret_attempt = request(m, i);
	if (!*ret_attempt)
		return OUTCOME_GOOD;
	while ((outcome = multipath_send(m, i, *ret_attempt)) ==
		       OUTCOME_ATTENTION &&
	       --tries > 0) {
		command_free(*ret_attempt);
		*ret_attempt = request(m, i);
	}
	return outcome;
}

/* An earlier path may have changed what a later one says: that is no answer
 * then, unless it is GOOD. Reading changes nothing. */
static bool may_be_done(const Multipath *m, Outcome best)
{
	return best == OUTCOME_UNKNOWN &&
	       m->command->pr.opcode == SCSI_PERSISTENT_RESERVE_OUT;
}

Outcome multipath_on_one_path(Multipath *m, size_t *ret_path)
{
	Outcome best = OUTCOME_NONE;

	refuse_without_path(m);
	m->until_one = true;
	for (size_t i = 0; i < m->map.n_paths; i++) {
		bool done = may_be_done(m, best);
		Command *attempt;
		Outcome outcome =
			ask(m, multipath_clients_request, i, done, &attempt);
		bool final = outcome == OUTCOME_GOOD ||
			     (!done && (outcome == OUTCOME_REFUSED ||
					outcome == OUTCOME_ATTENTION));

		m->outcome[i] = outcome;
		if (final || outcome > best) {
			command_take_answer(m->command, attempt);
			best = outcome;
			*ret_path = i;
		}
		command_free(attempt);
		if (final)
			break;
	}
	m->until_one = false;
	return best;
}

static bool is_better(Outcome outcome, Outcome best, const uint8_t *rank)
{
	return rank ? rank[outcome] > rank[best] : outcome > best;
}

bool multipath_on_all_paths(Multipath *m, MultipathRequest *request,
			    const uint8_t rank[OUTCOME_GOOD + 1])
{
	Outcome best = OUTCOME_NONE;
	bool is_first = true, is_final = false;

	refuse_without_path(m);
	for (size_t i = 0; i < m->map.n_paths && !is_final; i++) {
		Command *attempt;
		Outcome outcome = ask(m, request, i, !is_first, &attempt);

		m->outcome[i] = outcome;
		is_final = is_first && (outcome == OUTCOME_REFUSED ||
					outcome == OUTCOME_ATTENTION);
		/* One whose answer is lost may have done it, too. */
		is_first = is_first && outcome == OUTCOME_UNREACHED;
		if (attempt && (is_final || is_better(outcome, best, rank))) {
			command_take_answer(m->command, attempt);
			best = outcome;
		}
		command_free(attempt);
	}
	return !is_final;
}

size_t multipath_count(const Multipath *m, Outcome outcome, size_t *ret_path)
{
	size_t count = 0;

	for (size_t i = 0; i < m->map.n_paths; i++)
		if (m->outcome[i] == outcome && count++ == 0 && ret_path)
			*ret_path = i;
	return count;
}
