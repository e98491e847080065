/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps that commands on a map are made of: a request down one path, or
 * down one path after the other. Shared by the multipath-*.c files only.
 */
#ifndef MULTIPATH_STEP_H
#define MULTIPATH_STEP_H

#include "multipath.h"

/* What a path said, in ascending order of what is worth telling the client
 * where no path said GOOD. */
typedef enum Outcome {
	OUTCOME_NONE,
	OUTCOME_UNREACHED, /* the device did not get it, or is not ready */
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

Outcome multipath_outcome(const Command *attempt);

/* Requests, for multipath_send() and to be freed with command_free(). */
Command *multipath_clients_request(const Multipath *m);
Command *multipath_request(const uint8_t cdb[WIRE_CDB_SIZE]);
Command *multipath_own_request(const Multipath *m, const PrOut *out);

/* --- multipath-step.c --- */

/* Sends down path `i`, or says at once that the path is dead. */
Outcome multipath_send(Multipath *m, size_t i, Command *attempt);

/* Our own request down path `i`; once more on a unit attention, which our
 * other requests may have raised. */
Outcome multipath_do(Multipath *m, size_t i, const PrOut *out);

/* The client's request down one path after the other until the device did it
 * or refused it; that, or else what is best to know, becomes the client's
 * answer. */
Outcome multipath_on_one_path(Multipath *m, size_t *ret_path);

/* The request that path `i` gets, or NULL where an earlier one has done for
 * it. */
typedef Command *MultipathRequest(const Multipath *m, size_t i);

/* A request down every path, and m->outcome[]. The first that answers speaks
 * to the client: where it refuses or has a unit attention, the command is
 * answered with that and no other path gets it: false. On the others a unit
 * attention is our own doing, and they are asked again. Otherwise the answer
 * is that of the outcome which `rank` puts highest. */
bool multipath_on_all_paths(Multipath *m, MultipathRequest *request,
			    const uint8_t rank[OUTCOME_GOOD + 1]);

/* Paths with this outcome; ret_path, where not NULL, becomes the first. */
size_t multipath_count(const Multipath *m, Outcome outcome, size_t *ret_path);

/* --- multipath-own.c --- */

/* READ RESERVATION down a path. False: it did not say. */
bool multipath_read_reservation(Multipath *m, size_t i,
				ScsiPrReservation *ret_reservation);

/* What this host is known to hold: by our own record or, after a restart, by
 * multipathd's, which has no type (0). `known` is what multipathd said of its
 * key before the command; NULL: it is asked now. */
Hold multipath_known_hold(const Multipath *m, const MultipathdAnswer *known);

/* Whether the reservation is the one that we know to hold. Where no path that
 * answers can release it, it is held through one that is dead, or that has left
 * the map. Pure. */
bool multipath_is_by(const ScsiPrReservation *reservation, const Hold *hold);

/* REGISTER AND IGNORE EXISTING KEY down path `i`, for which path `via` has been
 * registered. Conflict, and nothing sent: the key is no longer there, because
 * another host has preempted it, and must not come in again. */
Outcome multipath_join(Multipath *m, size_t via, size_t i, uint64_t key,
		       bool aptpl);

/* The same for each path but `via` that answers. */
void multipath_register_others(Multipath *m, size_t via, uint64_t key,
			       bool aptpl);

/* Takes our reservation over to path `i` from one that is lost, and registers
 * the others again, which the preemption of our own key has taken out. */
bool multipath_take_over(Multipath *m, size_t i, uint64_t key, uint8_t type);

/* --- multipath-key.c --- */

MultipathdAnswer multipath_tell(const Multipath *m, MultipathdVerb verb);

/* The same, where the operator has to know if it fails. `consequence`
 * completes the sentence. */
void multipath_tell_or_warn(const Multipath *m, MultipathdVerb verb,
			    const char *consequence);

/* Refuses the command because multipathd did not do what it must. */
void multipath_refuse_without_multipathd(const Multipath *m,
					 MultipathdResult result);

/* Gives multipathd the key, or takes it away (0). Not OK: the command is
 * refused. */
MultipathdResult multipath_tell_key(const Multipath *m, uint64_t key,
				    bool aptpl);

/* Whether it has to be told the contrary: it may have done what it did not say.
 * Pure. */
bool multipath_may_have_done(MultipathdResult result);

/* Gives it the key that it had before the command; the command's answer
 * stands. */
void multipath_put_back(const Multipath *m, const MultipathdAnswer *before);

/* Tells of a path that could not be registered; nothing where it could. */
void multipath_warn_unregistered(const Multipath *m, size_t i, Outcome outcome);

/* printf format. */
void multipath_warn(const Multipath *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The commands that go down all paths. */
void multipath_register(Multipath *m);
void multipath_unregister(Multipath *m, const MultipathdAnswer *before);
void multipath_release(Multipath *m);

#endif
