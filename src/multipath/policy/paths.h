/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paths of a map, what each has said, and the steps that commands are made
 * of: a request down one path, or down one path after the other.
 */
#ifndef MULTIPATH_PATHS_H
#define MULTIPATH_PATHS_H

#include "multipath/policy/execute.h"

/* What a path said, in ascending order of what is worth telling the client
 * if no path said GOOD. */
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

typedef struct Path {
	MapPath is;      /* as the map had it last */
	bool left;       /* the map no longer has it */
	Outcome outcome; /* of the client's command; NONE: it did not get it */
	/* Why it was not reached, as far as the helper knows. */
	char reason[COMMAND_REASON_SIZE];
} Path;

/* A command on a map. A path is known by its place in `paths`, which it keeps
 * until the command has ended. */
typedef struct Multipath {
	const MultipathWorld *world;
	Command *command;                /* the client's */
	ScsiPrParameters parameters;     /* of an OUT whose list is whole */
	char map_name[DEVICE_NAME_SIZE]; /* the kernel's: "dm-3" */
	size_t n_paths;
	Path paths[MAP_PATHS_MAX];
} Multipath;

/* A PERSISTENT RESERVE OUT of our own. */
typedef struct PrOut {
	uint8_t service_action;
	uint8_t type;
	uint64_t reservation_key;
	uint64_t service_action_key;
	bool aptpl;
} PrOut;

/* Send.share: each path has to get the request; or one answer is enough, and
 * a slow device has time for it however many paths there are. */
#define SHARE_WITH_ALL MAP_PATHS_MAX
#define SHARE_WITH_FEW 4

static const Send send_to_each = { .share = SHARE_WITH_ALL };
/* It is we who have to put right what was done. */
static const Send send_in_any_case = { .share = SHARE_WITH_ALL,
				       .after_deadline = true };

/* Reads the map, at first or anew. Paths that are known keep their place and
 * what they said; those that joined come behind them. False, and nothing has
 * changed: the map has gone. */
bool paths_merge(Multipath *m);

/* With how many other paths path `i` shares the time that is left: at most
 * `share` of those after it that run. Pure. */
size_t paths_share(const Multipath *m, size_t i, size_t share);

/* Pure. */
Outcome paths_outcome(const Command *attempt);

/* The request that path `i` gets, to be freed with command_free(); NULL: an
 * earlier path has done for this one. */
typedef Command *PathsRequest(const Multipath *m, size_t i);

/* The client's, which is the same for every path. */
PathsRequest paths_clients_request;

/* Requests of our own. */
Command *paths_in_request(const uint8_t cdb[WIRE_CDB_SIZE]);
Command *paths_out_request(const Multipath *m, const PrOut *out);

/* Sends down path `i`, or says at once that the path does not run. */
Outcome paths_send(Multipath *m, size_t i, Send send, Command *attempt);

/* The same; up to three times if there is a unit attention, which our other
 * requests may have raised. *attempt becomes the last one. */
Outcome paths_insist(Multipath *m, size_t i, Send send, Command **attempt);

/* The same with a PERSISTENT RESERVE OUT of our own. */
Outcome paths_do(Multipath *m, size_t i, Send send, const PrOut *out);

/* The client's request down one path after the other until the device did it
 * or refused it; that, or else what is best to know, becomes the client's
 * answer. If an earlier path may have done it, a refusal is none, and a unit
 * attention, which that may have raised, is asked again. */
Outcome paths_send_to_one(Multipath *m, size_t *ret_path);

/* A request down every path, and Path.outcome. The first that answers speaks
 * to the client: if it refuses or has a unit attention, the command is
 * answered with that and no other path gets it: false. On the others, and after
 * one whose answer is lost, a unit attention is our own doing, and they are
 * asked again. Otherwise the answer is that of the outcome which `rank` puts
 * highest; NULL: in Outcome's order.
 */
bool paths_send_to_all(Multipath *m, PathsRequest *request,
		       const uint8_t rank[OUTCOME_GOOD + 1]);

/* Paths with this outcome; ret_path, if not NULL, becomes the first. */
size_t paths_count(const Multipath *m, Outcome outcome, size_t *ret_path);

#endif
