/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever a driver reports, the answer is one that QEMU survives: GOOD only
 * where everything is, and never more bytes than were asked for.
 */
#include "device/sg-io.h"
#include "fuzz.h"

static bool is_good(const sg_io_hdr_t *io)
{
	unsigned int driver = io->driver_status & 0x0f;

	return io->status == SCSI_GOOD && io->host_status == 0 &&
	       (driver == 0 || driver == 8);
}

static void assert_answer(const Command *command, const sg_io_hdr_t *io)
{
	const WireReply *reply = &command->reply;
	ScsiSense sense;

	g_assert_true((reply->status == SCSI_GOOD) == is_good(io));
	if (io->status != SCSI_GOOD)
		g_assert_cmphex(reply->status, ==, io->status);
	if (command->failure)
		g_assert_true(
			scsi_sense_get(reply->sense, WIRE_SENSE_SIZE, &sense));
	if (reply->status == SCSI_CHECK_CONDITION)
		g_assert_cmphex(reply->sense[0], !=, 0);
	if (reply->status != SCSI_GOOD ||
	    command->pr.opcode != SCSI_PERSISTENT_RESERVE_IN)
		g_assert_cmpuint(reply->size, ==, 0);
	g_assert_cmpuint(reply->size, <=, command->pr.length);
	g_assert_cmpuint(reply->size, <=, io->dxfer_len);
	g_assert_cmpint(command->reason[COMMAND_REASON_SIZE - 1], ==, '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint8_t cdb[WIRE_CDB_SIZE], sense[WIRE_SENSE_SIZE];
	sg_io_hdr_t io = { 0 };
	Command *command;
	ScsiPrCdb pr;

	input_bytes(&input, cdb, sizeof(cdb));
	cdb[0] = cdb[0] & 1 ? SCSI_PERSISTENT_RESERVE_OUT
			    : SCSI_PERSISTENT_RESERVE_IN;
	scsi_pr_cdb_get(cdb, &pr);
	pr.length %= WIRE_DATA_MAX + 1;
	io.status = input_byte(&input);
	io.host_status = input_word(&input);
	io.driver_status = input_word(&input);
	io.resid = (int)input_long(&input);
	io.dxfer_len = input_word(&input) % (WIRE_DATA_MAX + 1);
	io.sb_len_wr = input_byte(&input);
	input_bytes(&input, sense, sizeof(sense));
	io.sbp = sense;

	command = command_new(cdb, &pr, -1);
	sg_io_answer(command, &io);
	assert_answer(command, &io);
	command_free(command);
	return 0;
}
