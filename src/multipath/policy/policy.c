/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that one path can do for all; those that every path has to get
 * are in register.c and release.c.
 */
#include "multipath/policy/policy.h"

#include <glib.h>

#include "key.h"
#include "own.h"
#include "read.h"
#include "register.h"
#include "release.h"

static void hold_record(const Multipath *m, uint64_t key, uint8_t type)
{
	m->world->hold_set(m->world->data,
			   (Hold) { .held = true, .key = key, .type = type });
	/* Versions before 0.13 do not know this; nothing depends on it. */
	multipath_tell(m, MULTIPATHD_SET_HOLD);
}

/* Every path says conflict: the guest may well hold the reservation already,
 * through one that is dead or has left the map. */
static Outcome reserve_again(Multipath *m)
{
	uint64_t key = m->parameters.reservation_key;
	uint8_t type = m->command->pr.type;
	ScsiPrReservation reservation;
	Hold hold;
	size_t i;

	if (multipath_count(m, OUTCOME_CONFLICT, &i) == 0 ||
	    !multipath_read_reservation(m, i, &reservation) ||
	    !reservation.held || reservation.key != key ||
	    reservation.type != type)
		return OUTCOME_CONFLICT;
	hold = multipath_known_hold(m, NULL);
	if (!multipath_is_by(&reservation, &hold))
		return OUTCOME_CONFLICT;
	return multipath_take_over(m, i, key, type);
}

/* Another outcome than these leaves the device's answer. */
static void answer_again(const Multipath *m, Outcome outcome)
{
	if (outcome == OUTCOME_GOOD)
		command_answer(m->command, SCSI_GOOD, NULL, 0, 0);
	else if (outcome == OUTCOME_UNKNOWN)
		command_refuse(m->command, FAILURE_OUTCOME_UNKNOWN,
			       "the reservation may still be held through a "
			       "path that is dead or has left the map");
}

/* Whether the guest's key is this host's: where the device has not said so,
 * nothing of our own may be done with a key that the guest has only named. */
static bool is_our_key(const Multipath *m, const MultipathdAnswer *known)
{
	return known->result == MULTIPATHD_OK && known->key &&
	       known->key == m->parameters.reservation_key;
}

/* `type` 0: of any. */
static void record_if_held(Multipath *m, uint8_t type)
{
	uint64_t key = m->parameters.reservation_key;
	ScsiPrReservation reservation;

	if (multipath_read_anywhere(m, &reservation) && reservation.held &&
	    reservation.key == key && (!type || reservation.type == type))
		hold_record(m, key, reservation.type);
}

/* The answer was lost, maybe with the path: where the device did it, the next
 * RELEASE has to know. */
static void look_up_lost_reserve(Multipath *m)
{
	MultipathdAnswer known = multipath_tell(m, MULTIPATHD_GET_KEY);

	if (is_our_key(m, &known))
		record_if_held(m, m->command->pr.type);
}

static void reserve(Multipath *m)
{
	size_t i;
	Outcome outcome = multipath_on_one_path(m, &i);

	if (outcome == OUTCOME_UNKNOWN)
		look_up_lost_reserve(m);
	if (outcome == OUTCOME_CONFLICT) {
		outcome = reserve_again(m);
		answer_again(m, outcome);
	}
	if (outcome == OUTCOME_GOOD)
		hold_record(m, m->parameters.reservation_key,
			    m->command->pr.type);
}

static void clear(Multipath *m)
{
	size_t i;

	if (multipath_on_one_path(m, &i) != OUTCOME_GOOD)
		return;
	m->world->hold_set(m->world->data, (Hold) { .held = false });
	multipath_forget(m);
}

/* Who preempts its own key, or with 0 everybody's, takes itself out on all
 * paths but the one that it came by. */
static bool names_ourselves(const ScsiPrParameters *parameters)
{
	return parameters->service_action_key == 0 ||
	       parameters->service_action_key == parameters->reservation_key;
}

static void preempt(Multipath *m)
{
	MultipathdAnswer known = { MULTIPATHD_UNASKED };
	size_t i;
	Outcome outcome = multipath_on_one_path(m, &i);

	if (outcome != OUTCOME_GOOD && outcome != OUTCOME_UNKNOWN)
		return;
	if (outcome == OUTCOME_UNKNOWN || names_ourselves(&m->parameters))
		known = multipath_tell(m, MULTIPATHD_GET_KEY);
	if (outcome == OUTCOME_UNKNOWN && !is_our_key(m, &known))
		return;
	/* Where the preemption was not done, this does nothing. */
	if (names_ourselves(&m->parameters))
		multipath_register_others(m, i, m->parameters.reservation_key,
					  &known);
	record_if_held(m, 0);
}

static void on_one_path(Multipath *m)
{
	size_t i;

	multipath_on_one_path(m, &i);
}

static void refuse_move(Multipath *m)
{
	command_refuse(m->command, FAILURE_INVALID_FIELD,
		       "REGISTER AND MOVE is not possible on a multipath map");
}

typedef void Action(Multipath *m);

static Action *const actions[] = {
	[SCSI_PR_OUT_REGISTER] = multipath_register,
	[SCSI_PR_OUT_RESERVE] = reserve,
	[SCSI_PR_OUT_RELEASE] = multipath_release,
	[SCSI_PR_OUT_CLEAR] = clear,
	[SCSI_PR_OUT_PREEMPT] = preempt,
	[SCSI_PR_OUT_PREEMPT_AND_ABORT] = preempt,
	[SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY] = multipath_register,
	[SCSI_PR_OUT_REGISTER_AND_MOVE] = refuse_move,
};

/* What the standard does not define, or whose parameter list is cut off, is the
 * device's to refuse. */
static Action *action_of(Multipath *m)
{
	const Command *command = m->command;
	uint8_t service_action = command->pr.service_action;

	if (command->pr.opcode != SCSI_PERSISTENT_RESERVE_OUT ||
	    service_action >= G_N_ELEMENTS(actions))
		return on_one_path;
	if (service_action != SCSI_PR_OUT_REGISTER_AND_MOVE &&
	    !scsi_pr_parameters_get(service_action, command->data,
				    command->pr.length, &m->parameters))
		return on_one_path;
	return actions[service_action];
}

void multipath_execute(Command *command, const MultipathWorld *world)
{
	Multipath m = { .world = world, .command = command };
	Action *action;

	if (world->read_map(world->data, &m.map)) {
		action = action_of(&m);
		action(&m);
		return;
	}
	command_refuse(command, FAILURE_NO_SCSI_DEVICE,
		       "the multipath map has gone, or its paths cannot be "
		       "read");
}
