/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps that commands on a map are made of: a request down one path, or
 * down one path after the other.
 */
#ifndef MULTIPATH_STEP_H
#define MULTIPATH_STEP_H

#include "multipath/policy/world.h"

/* What a path said, in ascending order of what is worth telling the client
 * where no path said GOOD. */
typedef enum Outcome {
	OUTCOME_NONE,
	OUTCOME_UNREACHED, /* the device did not get it, is not ready, or does
			      not know the unit on this path */
	OUTCOME_CONFLICT,  /* RESERVATION CONFLICT: nothing was done */
	OUTCOME_REFUSED,   /* the device's other word: nothing was done */
	OUTCOME_ATTENTION, /* a unit attention: nothing was done; try again */
	OUTCOME_UNKNOWN,   /* it may have been done */
	OUTCOME_GOOD,
} Outcome;

typedef struct Multipath {
	const MultipathWorld *world;
	Command *command;            /* the client's */
	ScsiPrParameters parameters; /* of an OUT whose list is whole */
	Map map;
	Outcome outcome[MAP_PATHS_MAX]; /* of each path of the map */
	/* Why the path was not reached, as far as the helper knows. */
	char reason[MAP_PATHS_MAX][COMMAND_REASON_SIZE];
	/* By which key the device knows paths that a REGISTER does not reach;
	 * 0: by the new one, or by none. */
	uint64_t old_key;
	/* Paths are asked one after the other until one answers. */
	bool until_one;
	bool must; /* finish this step although the deadline has passed */
} Multipath;

/* A PERSISTENT RESERVE OUT of our own. */
typedef struct PrOut {
	uint8_t service_action;
	uint8_t type;
	uint64_t reservation_key;
	uint64_t service_action_key;
	bool aptpl;
} PrOut;

/* A device may have several unit attentions to tell, one a command. */
#define MULTIPATH_TRIES 3

/* With how many other paths one that is asked shares the time that is left:
 * those after it that run. Where one answer is enough, at most 4, so that a
 * slow device has time for it however many paths there are. Pure. */
size_t multipath_others(const Multipath *m, size_t i);

Outcome multipath_outcome(const Command *attempt);

/* The request that path `i` gets, or NULL where an earlier one has done for
 * it. */
typedef Command *MultipathRequest(const Multipath *m, size_t i);

/* Requests, for multipath_send() and to be freed with command_free(). The
 * client's is the same for every path. */
MultipathRequest multipath_clients_request;
Command *multipath_request(const uint8_t cdb[WIRE_CDB_SIZE]);
Command *multipath_own_request(const Multipath *m, const PrOut *out);

/* Sends down path `i`, or says at once that the path is dead. */
Outcome multipath_send(Multipath *m, size_t i, Command *attempt);

/* Our own request down path `i`; once more on a unit attention, which our
 * other requests may have raised. */
Outcome multipath_do(Multipath *m, size_t i, const PrOut *out);

/* The client's request down one path after the other until the device did it
 * or refused it; that, or else what is best to know, becomes the client's
 * answer. Where an earlier path may have done it, a refusal is none, and a unit
 * attention, which that may have raised, is asked again. */
Outcome multipath_on_one_path(Multipath *m, size_t *ret_path);

/* A request down every path, and m->outcome[]. The first that answers speaks
 * to the client: where it refuses or has a unit attention, the command is
 * answered with that and no other path gets it: false. On the others, and after
 * one whose answer is lost, a unit attention is our own doing, and they are
 * asked again. Otherwise the answer is that of the outcome which `rank` puts
 * highest; NULL: in Outcome's order.
 */
bool multipath_on_all_paths(Multipath *m, MultipathRequest *request,
			    const uint8_t rank[OUTCOME_GOOD + 1]);

/* Paths with this outcome; ret_path, where not NULL, becomes the first. */
size_t multipath_count(const Multipath *m, Outcome outcome, size_t *ret_path);

#endif
