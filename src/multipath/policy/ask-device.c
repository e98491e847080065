/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the device says when the helper itself asks. The hard rule: only IN
 * commands, which change nothing.
 */
#include "ask-device.h"

#include <glib.h>

#include "base/bytes.h"

/* SPC-4 6.15.4: the parameter data, and a bit of its byte 3. */
#define CAPABILITIES_LENGTH 8
#define PTPL_A              0x01

/* The caller frees *ret_answer. */
static Outcome ask_device_down(Multipath *m, size_t i, Send send,
			       uint8_t service_action, size_t length,
			       Command **ret_answer)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_IN,
				       service_action };

	be16_put(cdb + 7, (uint16_t)length);
	*ret_answer = paths_in_request(cdb);
	return paths_insist(m, i, send, ret_answer);
}

bool ask_device_reservation(Multipath *m, size_t i,
			    ScsiPrReservation *ret_reservation)
{
	Command *answer;
	bool got =
		ask_device_down(m, i, send_to_each, SCSI_PR_IN_READ_RESERVATION,
				SCSI_PR_RESERVATION_LENGTH,
				&answer) == OUTCOME_GOOD &&
		scsi_pr_reservation_get(answer->data, answer->reply.size,
					ret_reservation);

	command_free(answer);
	return got;
}

/* The same down any path, until one says GOOD; else false, and there is nothing
 * to free. */
static bool ask_device_anywhere(Multipath *m, bool after_deadline,
				uint8_t service_action, size_t length,
				Command **ret_answer)
{
	/* Not those that could not be reached a moment ago. */
	static const Outcome order[] = {
		OUTCOME_GOOD,      OUTCOME_CONFLICT, OUTCOME_REFUSED,
		OUTCOME_ATTENTION, OUTCOME_NONE,     OUTCOME_UNKNOWN,
	};
	const Send send = { .share = SHARE_WITH_FEW,
			    .after_deadline = after_deadline };

	for (size_t next = 0; next < G_N_ELEMENTS(order); next++)
		for (size_t i = 0; i < m->n_paths; i++) {
			if (m->paths[i].outcome != order[next])
				continue;
			if (ask_device_down(m, i, send, service_action, length,
					    ret_answer) == OUTCOME_GOOD)
				return true;
			command_free(*ret_answer);
		}
	return false;
}

bool ask_device_reservation_anywhere(Multipath *m,
				     ScsiPrReservation *ret_reservation)
{
	Command *answer;
	bool got;

	if (!ask_device_anywhere(m, false, SCSI_PR_IN_READ_RESERVATION,
				 SCSI_PR_RESERVATION_LENGTH, &answer))
		return false;
	got = scsi_pr_reservation_get(answer->data, answer->reply.size,
				      ret_reservation);
	command_free(answer);
	return got;
}

bool ask_device_aptpl(Multipath *m, const MultipathdAnswer *known)
{
	Command *answer;
	bool activated;

	if (known->result == MULTIPATHD_OK && known->key)
		return known->aptpl;
	if (!ask_device_anywhere(m, true, SCSI_PR_IN_REPORT_CAPABILITIES,
				 CAPABILITIES_LENGTH, &answer))
		return false;
	activated = answer->reply.size == CAPABILITIES_LENGTH &&
		    (answer->data[3] & PTPL_A);
	command_free(answer);
	return activated;
}

static bool ask_device_has_key(const Command *keys, uint64_t key)
{
	const uint8_t *bytes = keys->data;
	size_t size = keys->reply.size;

	/* A list that is cut off may have it. */
	if (size < 8 || be32_get(bytes + 4) > size - 8)
		return true;
	for (size_t at = 8; at + 8 <= 8 + (size_t)be32_get(bytes + 4); at += 8)
		if (be64_get(bytes + at) == key)
			return true;
	return false;
}

Outcome ask_device_for_key(Multipath *m, size_t i, Send send, uint64_t key)
{
	Command *answer;
	Outcome outcome = ask_device_down(m, i, send, SCSI_PR_IN_READ_KEYS,
					  WIRE_DATA_MAX, &answer);

	if (outcome == OUTCOME_GOOD && !ask_device_has_key(answer, key))
		outcome = OUTCOME_CONFLICT;
	command_free(answer);
	return outcome;
}
