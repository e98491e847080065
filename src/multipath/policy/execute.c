/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that one path can do for all; those that every path has to get
 * are in register.c and release.c.
 */
#include "multipath/policy/execute.h"

#include <glib.h>

#include "actions.h"
#include "ask-device.h"
#include "takeover.h"
#include "tell-multipathd.h"

/* SG_IO's shortest timeout and its margin, in microseconds. A path that is well
 * does not use it up. */
#define SHARE_LEAST_US ((int64_t)1500 * 1000)

int64_t multipath_time_us(int64_t left_us, Send send)
{
	int64_t share_us =
		MAX(left_us / (int64_t)(send.share + 1), SHARE_LEAST_US);

	return send.after_deadline ? share_us : MIN(share_us, left_us);
}

static void execute_record(const Multipath *m, uint64_t key, uint8_t type)
{
	m->world->hold_set(m->world->data,
			   (Hold) { .held = true, .key = key, .type = type });
	/* Versions before 0.13 do not know this; nothing depends on it. */
	tell_multipathd(m, MULTIPATHD_SET_HOLD);
}

/* Every path says conflict: the guest may well hold the reservation already,
 * through one that is dead or has left the map. */
static Outcome execute_reserve_again(Multipath *m)
{
	uint64_t key = m->parameters.reservation_key;
	uint8_t type = m->command->pr.type;
	ScsiPrReservation reservation;
	Hold hold;
	size_t i;

	if (paths_count(m, OUTCOME_CONFLICT, &i) == 0 ||
	    !ask_device_reservation(m, i, &reservation) || !reservation.held ||
	    reservation.key != key || reservation.type != type)
		return OUTCOME_CONFLICT;
	hold = takeover_known_hold(m, NULL);
	if (!takeover_is_held(&reservation, &hold))
		return OUTCOME_CONFLICT;
	return takeover_reservation(m, i, key, type);
}

/* Another outcome than these leaves the device's answer. */
static void execute_answer_again(const Multipath *m, Outcome outcome)
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
static bool execute_is_our_key(const Multipath *m,
			       const MultipathdAnswer *known)
{
	return known->result == MULTIPATHD_OK && known->key &&
	       known->key == m->parameters.reservation_key;
}

/* `type` 0: of any. */
static void execute_record_if_held(Multipath *m, uint8_t type)
{
	uint64_t key = m->parameters.reservation_key;
	ScsiPrReservation reservation;

	if (ask_device_reservation_anywhere(m, &reservation) &&
	    reservation.held && reservation.key == key &&
	    (!type || reservation.type == type))
		execute_record(m, key, reservation.type);
}

/* The answer was lost, maybe with the path: where the device did it, the next
 * RELEASE has to know. */
static void execute_look_up_reserve(Multipath *m)
{
	MultipathdAnswer known = tell_multipathd(m, MULTIPATHD_GET_KEY);

	if (execute_is_our_key(m, &known))
		execute_record_if_held(m, m->command->pr.type);
}

static void execute_reserve(Multipath *m)
{
	size_t i;
	Outcome outcome = paths_send_to_one(m, &i);

	if (outcome == OUTCOME_UNKNOWN)
		execute_look_up_reserve(m);
	if (outcome == OUTCOME_CONFLICT) {
		outcome = execute_reserve_again(m);
		execute_answer_again(m, outcome);
	}
	if (outcome == OUTCOME_GOOD)
		execute_record(m, m->parameters.reservation_key,
			       m->command->pr.type);
}

static void execute_clear(Multipath *m)
{
	size_t i;

	if (paths_send_to_one(m, &i) != OUTCOME_GOOD)
		return;
	m->world->hold_set(m->world->data, (Hold) { .held = false });
	tell_multipathd_to_forget(m);
}

/* Who preempts its own key, or with 0 everybody's, takes itself out on all
 * paths but the one that it came by. */
static bool execute_names_us(const ScsiPrParameters *parameters)
{
	return parameters->service_action_key == 0 ||
	       parameters->service_action_key == parameters->reservation_key;
}

static void execute_preempt(Multipath *m)
{
	MultipathdAnswer known = { MULTIPATHD_UNASKED };
	size_t i;
	Outcome outcome = paths_send_to_one(m, &i);

	if (outcome != OUTCOME_GOOD && outcome != OUTCOME_UNKNOWN)
		return;
	if (outcome == OUTCOME_UNKNOWN || execute_names_us(&m->parameters))
		known = tell_multipathd(m, MULTIPATHD_GET_KEY);
	if (outcome == OUTCOME_UNKNOWN && !execute_is_our_key(m, &known))
		return;
	/* Where the preemption was not done, this does nothing. */
	if (execute_names_us(&m->parameters))
		takeover_register_others(m, i, m->parameters.reservation_key,
					 &known);
	execute_record_if_held(m, 0);
}

static void execute_on_one_path(Multipath *m)
{
	size_t i;

	paths_send_to_one(m, &i);
}

static void execute_refuse_move(Multipath *m)
{
	command_refuse(m->command, FAILURE_INVALID_FIELD,
		       "REGISTER AND MOVE is not possible on a multipath map");
}

typedef void ExecuteAction(Multipath *m);

static ExecuteAction *const execute_actions[] = {
	[SCSI_PR_OUT_REGISTER] = register_execute,
	[SCSI_PR_OUT_RESERVE] = execute_reserve,
	[SCSI_PR_OUT_RELEASE] = release_execute,
	[SCSI_PR_OUT_CLEAR] = execute_clear,
	[SCSI_PR_OUT_PREEMPT] = execute_preempt,
	[SCSI_PR_OUT_PREEMPT_AND_ABORT] = execute_preempt,
	[SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY] = register_execute,
	[SCSI_PR_OUT_REGISTER_AND_MOVE] = execute_refuse_move,
};

/* What the standard does not define, or whose parameter list is cut off, is the
 * device's to refuse. */
static ExecuteAction *execute_action(Multipath *m)
{
	const Command *command = m->command;
	uint8_t service_action = command->pr.service_action;

	if (command->pr.opcode != SCSI_PERSISTENT_RESERVE_OUT ||
	    service_action >= G_N_ELEMENTS(execute_actions))
		return execute_on_one_path;
	if (service_action != SCSI_PR_OUT_REGISTER_AND_MOVE &&
	    !scsi_pr_parameters_get(service_action, command->data,
				    command->pr.length, &m->parameters))
		return execute_on_one_path;
	return execute_actions[service_action];
}

void multipath_execute(Command *command, const MultipathWorld *world)
{
	Multipath m = { .world = world, .command = command };

	if (paths_merge(&m))
		execute_action (&m)(&m);
	else
		command_refuse(command, FAILURE_NO_SCSI_DEVICE,
			       "the multipath map has gone, or its paths "
			       "cannot be read");
}
