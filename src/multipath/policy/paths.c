/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hard rule: a command of the client's is sent unchanged or not at all.
 */
#include "paths.h"

#include <glib.h>
#include <string.h>

#include "base/bytes.h"

/* A device may have several unit attentions to report, one a command. */
#define PATHS_TRIES 3

static bool paths_know(const Multipath *m, const MapPath *path)
{
	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i].is.major == path->major &&
		    m->paths[i].is.minor == path->minor)
			return true;
	return false;
}

static void paths_update(Path *path, const Map *map)
{
	size_t i;

	path->left = !map_find(map, &path->is, &i);
	if (path->left)
		path->is.running = false;
	else
		path->is = map->paths[i];
}

bool paths_merge(Multipath *m)
{
	const Map *map = m->world->read_map(m->world->data);

	if (!map)
		return false;
	g_strlcpy(m->map_name, map->name, sizeof(m->map_name));
	for (size_t i = 0; i < m->n_paths; i++)
		paths_update(&m->paths[i], map);
	for (size_t i = 0; i < map->n_paths && m->n_paths < MAP_PATHS_MAX; i++)
		if (!paths_know(m, &map->paths[i]))
			m->paths[m->n_paths++] = (Path) { .is = map->paths[i] };
	return true;
}

size_t paths_share(const Multipath *m, size_t i, size_t share)
{
	size_t others = 0;

	for (size_t j = i + 1; j < m->n_paths; j++)
		others += m->paths[j].is.running;
	return MIN(others, share);
}

static ScsiSense paths_sense(const Command *attempt)
{
	ScsiSense sense = { SCSI_SENSE_NO_SENSE };

	scsi_sense_get(attempt->reply.sense, WIRE_SENSE_SIZE, &sense);
	return sense;
}

/* LOGICAL UNIT NOT SUPPORTED: the storage maps the unit to this path no
 * longer. */
static bool paths_is_unmapped(ScsiSense sense)
{
	return sense.key == SCSI_SENSE_ILLEGAL_REQUEST && sense.asc == 0x25;
}

static Outcome paths_outcome_of_check(const Command *attempt)
{
	ScsiSense sense = paths_sense(attempt);

	if (paths_is_unmapped(sense))
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

static Outcome paths_outcome_of_failure(Failure failure)
{
	return failure == FAILURE_OUTCOME_UNKNOWN ||
			       failure == FAILURE_DISRUPTED
		       ? OUTCOME_UNKNOWN
		       : OUTCOME_UNREACHED;
}

Outcome paths_outcome(const Command *attempt)
{
	if (attempt->failure)
		return paths_outcome_of_failure(attempt->failure);
	switch (attempt->reply.status) {
	case SCSI_GOOD:
		return OUTCOME_GOOD;
	case SCSI_RESERVATION_CONFLICT:
		return OUTCOME_CONFLICT;
	case SCSI_CHECK_CONDITION:
		return paths_outcome_of_check(attempt);
	default:
		return OUTCOME_REFUSED;
	}
}

Command *paths_clients_request(const Multipath *m, size_t i)
{
	(void)i;
	return command_new_substitute(m->command);
}

Command *paths_in_request(const uint8_t cdb[WIRE_CDB_SIZE])
{
	ScsiPrCdb pr = { 0 };

	scsi_pr_cdb_get(cdb, &pr);
	return command_new(cdb, &pr, -1);
}

Command *paths_out_request(const Multipath *m, const PrOut *out)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
				       out->service_action, out->type };
	Command *request;

	be32_put(cdb + 5, SCSI_PR_PARAMETERS_LENGTH);
	request = paths_in_request(cdb);
	request->peer = m->command->peer;
	memset(request->data, 0, SCSI_PR_PARAMETERS_LENGTH);
	be64_put(request->data, out->reservation_key);
	be64_put(request->data + 8, out->service_action_key);
	request->data[20] = out->aptpl;
	return request;
}

/* Why a path was not reached that said this. */
static const char *paths_reason(const Command *attempt)
{
	if (attempt->failure)
		return attempt->reason;
	return paths_is_unmapped(paths_sense(attempt))
		       ? "the device does not know the unit there"
		       : "it is not ready";
}

Outcome paths_send(Multipath *m, size_t i, Send send, Command *attempt)
{
	Path *path = &m->paths[i];

	send.share = paths_share(m, i, send.share);
	if (path->is.running)
		m->world->send(m->world->data, &path->is, send, attempt);
	else
		command_refuse(attempt, FAILURE_NO_PATH,
			       "path %s is not running", path->is.name);
	g_strlcpy(path->reason, paths_reason(attempt), sizeof(path->reason));
	return paths_outcome(attempt);
}

Outcome paths_insist(Multipath *m, size_t i, Send send, Command **attempt)
{
	Outcome outcome = paths_send(m, i, send, *attempt);

	for (int tries = 1; outcome == OUTCOME_ATTENTION && tries < PATHS_TRIES;
	     tries++) {
		Command *again = command_new_substitute(*attempt);

		command_free(*attempt);
		*attempt = again;
		outcome = paths_send(m, i, send, again);
	}
	return outcome;
}

Outcome paths_do(Multipath *m, size_t i, Send send, const PrOut *out)
{
	Command *attempt = paths_out_request(m, out);
	Outcome outcome = paths_insist(m, i, send, &attempt);

	command_free(attempt);
	return outcome;
}

static void paths_refuse_without(Multipath *m)
{
	command_refuse(m->command, FAILURE_NO_PATH, "the map has no path");
}

/* An earlier path may have changed what a later one says: that is no answer
 * then, unless it is GOOD. Reading changes nothing. */
static bool paths_may_have_done(const Multipath *m, Outcome best)
{
	return best == OUTCOME_UNKNOWN &&
	       m->command->pr.opcode == SCSI_PERSISTENT_RESERVE_OUT;
}

Outcome paths_send_to_one(Multipath *m, size_t *ret_path)
{
	const Send send = { .share = SHARE_WITH_FEW };
	Outcome best = OUTCOME_NONE;
	bool is_final = false;

	paths_refuse_without(m);
	for (size_t i = 0; i < m->n_paths && !is_final; i++) {
		bool done = paths_may_have_done(m, best);
		Command *attempt = paths_clients_request(m, i);
		Outcome outcome = done ? paths_insist(m, i, send, &attempt)
				       : paths_send(m, i, send, attempt);

		is_final = outcome == OUTCOME_GOOD ||
			   (!done && (outcome == OUTCOME_REFUSED ||
				      outcome == OUTCOME_ATTENTION));
		m->paths[i].outcome = outcome;
		if (is_final || outcome > best) {
			command_take_answer(m->command, attempt);
			best = outcome;
			*ret_path = i;
		}
		command_free(attempt);
	}
	return best;
}

static bool paths_is_better(Outcome outcome, Outcome best, const uint8_t *rank)
{
	return rank ? rank[outcome] > rank[best] : outcome > best;
}

/* *ret_attempt is what the path was sent, and answered; NULL: nothing. */
static Outcome paths_send_one_of_all(Multipath *m, PathsRequest *request,
				     size_t i, bool is_first,
				     Command **ret_attempt)
{
	*ret_attempt = request(m, i);
	if (!*ret_attempt)
		return OUTCOME_GOOD;
	return is_first ? paths_send(m, i, send_to_each, *ret_attempt)
			: paths_insist(m, i, send_to_each, ret_attempt);
}

bool paths_send_to_all(Multipath *m, PathsRequest *request,
		       const uint8_t rank[OUTCOME_GOOD + 1])
{
	Outcome best = OUTCOME_NONE;
	bool is_first = true, is_final = false;

	paths_refuse_without(m);
	for (size_t i = 0; i < m->n_paths && !is_final; i++) {
		Command *attempt;
		Outcome outcome = paths_send_one_of_all(m, request, i, is_first,
							&attempt);

		m->paths[i].outcome = outcome;
		is_final = is_first && (outcome == OUTCOME_REFUSED ||
					outcome == OUTCOME_ATTENTION);
		/* One whose answer is lost may have done it, too. */
		is_first = is_first && outcome == OUTCOME_UNREACHED;
		if (attempt &&
		    (is_final || paths_is_better(outcome, best, rank))) {
			command_take_answer(m->command, attempt);
			best = outcome;
		}
		command_free(attempt);
	}
	return !is_final;
}

size_t paths_count(const Multipath *m, Outcome outcome, size_t *ret_path)
{
	size_t count = 0;

	for (size_t i = 0; i < m->n_paths; i++)
		if (m->paths[i].outcome == outcome && count++ == 0 && ret_path)
			*ret_path = i;
	return count;
}
