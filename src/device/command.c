/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command's birth, answer and end. The hard rule: the reply never carries
 * more than the client asked for, and nothing at all for PERSISTENT RESERVE
 * OUT; QEMU aborts the whole virtual machine otherwise.
 */
#include "device/command.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

ScsiSense failure_sense(Failure failure)
{
	static const ScsiSense senses[FAILURE_COUNT] = {
		[FAILURE_NOT_SUPPORTED] = { SCSI_SENSE_ILLEGAL_REQUEST, 0x20,
					    0x00 },
		[FAILURE_INVALID_FIELD] = { SCSI_SENSE_ILLEGAL_REQUEST, 0x24,
					    0x00 },
		[FAILURE_NO_SCSI_DEVICE] = { SCSI_SENSE_ABORTED_COMMAND, 0x00,
					     0x06 },
		[FAILURE_NOT_SENT] = { SCSI_SENSE_ABORTED_COMMAND, 0x2e, 0x01 },
		[FAILURE_OUTCOME_UNKNOWN] = { SCSI_SENSE_ABORTED_COMMAND, 0x2e,
					      0x02 },
		[FAILURE_NO_RESOURCES] = { SCSI_SENSE_ABORTED_COMMAND, 0x55,
					   0x03 },
		[FAILURE_NO_PATH] = { SCSI_SENSE_ABORTED_COMMAND, 0x05, 0x00 },
		[FAILURE_DISRUPTED] = { SCSI_SENSE_ABORTED_COMMAND, 0x08,
					0x00 },
		[FAILURE_TRANSPORT] = { SCSI_SENSE_ABORTED_COMMAND, 0x00,
					0x06 },
	};

	g_assert(failure > FAILURE_NONE && failure < FAILURE_COUNT);
	return senses[failure];
}

Command *command_new(const uint8_t cdb[WIRE_CDB_SIZE], const ScsiPrCdb *pr,
		     int fd)
{
	return command_renew(NULL, cdb, pr, fd);
}

Command *command_renew(Command *old, const uint8_t cdb[WIRE_CDB_SIZE],
		       const ScsiPrCdb *pr, int fd)
{
	Command *command = old ? old : g_new(Command, 1);
	size_t written = old ? old->written : WIRE_DATA_MAX;

	g_assert(pr->length <= WIRE_DATA_MAX && written <= WIRE_DATA_MAX);
	if (old)
		fd_clear(&old->fd);
	/* A device that transfers less than it claims must not send what other
	 * memory held, nor, if it did not lie then, the last answer. */
	memset(command, 0, offsetof(Command, data) + written);
	if (pr->opcode == SCSI_PERSISTENT_RESERVE_OUT)
		command->written = pr->length;
	memcpy(command->cdb, cdb, WIRE_CDB_SIZE);
	command->pr = *pr;
	command->fd = fd;
	return command;
}

void command_free(Command *command)
{
	if (!command)
		return;
	fd_clear(&command->fd);
	g_free(command);
}

Command *command_new_substitute(const Command *command)
{
	Command *substitute = command_new(command->cdb, &command->pr, -1);

	substitute->peer = command->peer;
	substitute->connection = command->connection;
	substitute->arrival_us = command->arrival_us;
	substitute->backend = command->backend;
	substitute->queue_key = command->queue_key;
	substitute->block = command->block;
	substitute->major = command->major;
	substitute->minor = command->minor;
	/* What a log line says of an OUT is in its parameter list, which does
	 * not change while the device works on it. */
	if (command->pr.opcode == SCSI_PERSISTENT_RESERVE_OUT)
		memcpy(substitute->data, command->data, command->pr.length);
	return substitute;
}

/* The hard rule. */
static void assert_reply_fits(const Command *command)
{
	const ScsiPrCdb *pr = &command->pr;

	g_assert(command->reply.size == 0 ||
		 (pr->opcode == SCSI_PERSISTENT_RESERVE_IN &&
		  command->reply.size <= pr->length));
}

size_t command_pack(Command *command)
{
	assert_reply_fits(command);
	wire_reply_put(command->header, &command->reply);
	return WIRE_REPLY_SIZE + command->reply.size;
}

void command_refuse(Command *command, Failure failure, const char *reason, ...)
{
	va_list arguments;

	g_assert(*reason);
	command->written = WIRE_DATA_MAX; /* nobody has said how much */
	command->failure = failure;
	command->answered_us = g_get_monotonic_time();
	command->reply.status = SCSI_CHECK_CONDITION;
	command->reply.size = 0;
	scsi_sense_put(command->reply.sense, WIRE_SENSE_SIZE,
		       failure_sense(failure));
	va_start(arguments, reason);
	vsnprintf(command->reason, sizeof(command->reason), reason, arguments);
	va_end(arguments);
}

void command_answer(Command *command, uint8_t status, const uint8_t *sense,
		    size_t sense_length, size_t transferred)
{
	WireReply *reply = &command->reply;

	g_assert(sense_length <= WIRE_SENSE_SIZE);
	command->failure = FAILURE_NONE;
	command->answered_us = g_get_monotonic_time();
	command->written =
		MIN(MAX(command->written, transferred), WIRE_DATA_MAX);
	reply->status = status;
	reply->size = 0;
	memset(reply->sense, 0, WIRE_SENSE_SIZE);
	if (sense_length > 0)
		memcpy(reply->sense, sense, sense_length);
	if (status == SCSI_CHECK_CONDITION && !(sense_length && sense[0]))
		scsi_sense_put(reply->sense, WIRE_SENSE_SIZE,
			       (ScsiSense) { SCSI_SENSE_NO_SENSE });
	if (status == SCSI_GOOD &&
	    command->pr.opcode == SCSI_PERSISTENT_RESERVE_IN)
		reply->size = (uint32_t)MIN(transferred, command->pr.length);
}

void command_take_answer(Command *command, const Command *from)
{
	g_assert(from->answered_us > 0);
	g_assert(command->pr.opcode == from->pr.opcode &&
		 command->pr.length == from->pr.length);
	command->reply = from->reply;
	command->failure = from->failure;
	command->answered_us = from->answered_us;
	memcpy(command->reason, from->reason, sizeof(command->reason));
	memcpy(command->data, from->data, from->reply.size);
	command->written = WIRE_DATA_MAX;
}
