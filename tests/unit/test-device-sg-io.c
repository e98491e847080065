/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SG_IO is given: the buffer, its direction, and the time. And what it can
 * report, as tuples, and the answer to each; among them the tuples of older
 * kernels, which report the device's word and a host status together.
 */
#include "device/sg-io.h"

#include <limits.h>

#include "testing.h"

typedef struct ResultCase {
	const char *name;
	uint8_t status;
	uint16_t host, driver;
	/* The answer; `own`: CHECK CONDITION by the helper, with this sense. */
	uint8_t answer;
	bool own;
	ScsiSense sense;
} ResultCase;

static const ResultCase result_cases[] = {
	{ "good", 0x00, 0x00, 0x00, SCSI_GOOD },
	{ "busy", 0x08, 0x00, 0x00, SCSI_BUSY },
	{ "task set full", 0x28, 0x00, 0x00, SCSI_TASK_SET_FULL },
	{ "conflict", 0x18, 0x00, 0x00, SCSI_RESERVATION_CONFLICT },
	{ "conflict, 6.0 and older", 0x18, 0x11, 0x00,
	  SCSI_RESERVATION_CONFLICT },
	{ "conflict, with abort", 0x18, 0x05, 0x00, SCSI_RESERVATION_CONFLICT },
	{ "conflict, with sense", 0x18, 0x11, 0x08, SCSI_RESERVATION_CONFLICT },
	{ "check, with host status", 0x02, 0x07, 0x08, SCSI_CHECK_CONDITION },
	{ "good, DRIVER_SENSE", 0x00, 0x00, 0x08, SCSI_GOOD },
	{ "good, suggestion only", 0x00, 0x00, 0x10, SCSI_GOOD },
	{ "no connect", 0x00, 0x01, 0x00, 0x02, true, { 0xb, 0x05, 0x00 } },
	{ "bad target", 0x00, 0x04, 0x00, 0x02, true, { 0xb, 0x05, 0x00 } },
	{ "time out", 0x00, 0x03, 0x00, 0x02, true, { 0xb, 0x2e, 0x02 } },
	{ "abort", 0x00, 0x05, 0x00, 0x02, true, { 0xb, 0x2e, 0x02 } },
	{ "disrupted", 0x00, 0x0e, 0x00, 0x02, true, { 0xb, 0x08, 0x00 } },
	{ "fail fast", 0x00, 0x0f, 0x00, 0x02, true, { 0xb, 0x08, 0x00 } },
	{ "marginal", 0x00, 0x14, 0x00, 0x02, true, { 0xb, 0x08, 0x00 } },
	{ "driver time out", 0x00, 0x00, 0x06, 0x02, true, { 0xb, 0x2e, 2 } },
	{ "driver time out, old", 0, 0, 0x16, 0x02, true, { 0xb, 0x2e, 2 } },
	{ "driver error", 0x00, 0x00, 0x04, 0x02, true, { 0xb, 0x00, 0x06 } },
	{ "host error", 0x00, 0x07, 0x00, 0x02, true, { 0xb, 0x2e, 0x02 } },
	{ "reset", 0x00, 0x08, 0x00, 0x02, true, { 0xb, 0x2e, 0x02 } },
	{ "nexus failure alone", 0, 0x11, 0, 0x02, true, { 0xb, 0x00, 0x06 } },
	{ "unheard of", 0x00, 0xffff, 0x00, 0x02, true, { 0xb, 0x00, 0x06 } },
};

static Command *command_of(uint8_t opcode, uint32_t length)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { opcode };
	ScsiPrCdb pr = { .opcode = opcode, .length = length };

	return command_new(cdb, &pr, -1);
}

static void test_results(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(result_cases); i++) {
		const ResultCase *this = &result_cases[i];
		Command *command = command_of(0x5e, 64);
		uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
		sg_io_hdr_t io = { .status = this->status,
				   .host_status = this->host,
				   .driver_status = this->driver,
				   .dxfer_len = WIRE_DATA_MAX,
				   .sbp = sense };

		g_test_message("%s", this->name);
		sg_io_answer(command, &io);
		g_assert_cmphex(command->reply.status, ==, this->answer);
		g_assert_true((command->failure != FAILURE_NONE) == this->own);
		g_assert_cmpuint(command->reply.size, ==,
				 this->answer == SCSI_GOOD ? 64 : 0);
		if (this->own)
			assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
				     this->sense);
		if (this->own)
			g_assert_cmpstr(command->reason, !=, "");
		command_free(command);
	}
}

/* All that a kernel can put into the three fields. */
static void test_never_good(void)
{
	Command *command = command_of(0x5e, 64);
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };

	for (unsigned int host = 0; host < 256; host++)
		for (unsigned int driver = 0; driver < 256; driver++) {
			sg_io_hdr_t io = { .host_status = (uint16_t)host,
					   .driver_status = (uint16_t)driver,
					   .sbp = sense };
			bool good = host == 0 && ((driver & 0xf) == 0 ||
						  (driver & 0xf) == 8);

			sg_io_answer(command, &io);
			g_assert_true((command->reply.status == SCSI_GOOD) ==
				      good);
		}
	command_free(command);
}

/* Whatever else is reported, another status than GOOD is what the client
 * gets. */
static void test_status_wins(void)
{
	Command *command = command_of(0x5f, 24);
	uint8_t sense[WIRE_SENSE_SIZE] = { 0x70, 0, 0x06 };

	for (unsigned int status = 1; status < 256; status++)
		for (unsigned int host = 0; host < 32; host++) {
			sg_io_hdr_t io = { .status = (uint8_t)status,
					   .host_status = (uint16_t)host,
					   .driver_status = host & 0xf,
					   .sb_len_wr = 18,
					   .sbp = sense };

			sg_io_answer(command, &io);
			g_assert_cmphex(command->reply.status, ==, status);
			g_assert_cmpint(command->failure, ==, FAILURE_NONE);
			g_assert_cmphex(command->reply.sense[2], ==, 0x06);
		}
	command_free(command);
}

typedef struct SizeCase {
	uint32_t asked, length;
	int resid;
	uint32_t size;
} SizeCase;

static void test_sizes(void)
{
	static const SizeCase cases[] = {
		{ 64, 8192, 0, 64 },
		{ 64, 8192, 8192 - 8, 8 },
		{ 64, 8192, 8192 - 64, 64 },
		{ 64, 8192, 8192, 0 },
		{ 8192, 8192, 0, 8192 },
		{ 8192, 8192, 1, 8191 },
		{ 0, 8192, 0, 0 },
		/* Nonsense from a driver. */
		{ 64, 8192, 8193, 0 },
		{ 64, 8192, INT_MAX, 0 },
		{ 8192, 8192, -1, 8192 },
		{ 8192, 8192, INT_MIN, 8192 },
		{ 64, 0, 0, 0 },
		{ 64, 0, 1, 0 },
		{ 64, 0, -1, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_of(0x5e, cases[i].asked);
		uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
		sg_io_hdr_t io = { .dxfer_len = cases[i].length,
				   .resid = cases[i].resid,
				   .sbp = sense };

		g_test_message("case %zu", i);
		sg_io_answer(command, &io);
		g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
		g_assert_cmpuint(command->reply.size, ==, cases[i].size);
		command_free(command);
	}
}

static void test_no_payload(void)
{
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
	sg_io_hdr_t io = { .dxfer_len = 24, .sbp = sense };
	Command *command = command_of(0x5f, 24);

	sg_io_answer(command, &io);
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	g_assert_cmpuint(command->reply.size, ==, 0);
	command_free(command);

	command = command_of(0x5e, 24);
	io.status = SCSI_CHECK_CONDITION;
	sg_io_answer(command, &io);
	g_assert_cmpuint(command->reply.size, ==, 0);
	command_free(command);
}

static void test_sense(void)
{
	static const unsigned char lengths[] = { 1, 8, 18, 95, 96, 97, 255 };
	uint8_t sense[WIRE_SENSE_SIZE];

	for (size_t i = 0; i < sizeof(sense); i++)
		sense[i] = (uint8_t)(0x70 + i);
	for (size_t i = 0; i < sizeof(lengths); i++) {
		Command *command = command_of(0x5e, 64);
		sg_io_hdr_t io = { .status = SCSI_CHECK_CONDITION,
				   .sb_len_wr = lengths[i],
				   .sbp = sense };
		size_t size = MIN(lengths[i], WIRE_SENSE_SIZE);

		sg_io_answer(command, &io);
		g_assert_cmpmem(command->reply.sense, size, sense, size);
		for (size_t j = size; j < WIRE_SENSE_SIZE; j++)
			g_assert_cmphex(command->reply.sense[j], ==, 0);
		command_free(command);
	}
}

static void test_check_condition_without_sense(void)
{
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
	sg_io_hdr_t io = { .status = SCSI_CHECK_CONDITION, .sbp = sense };
	Command *command = command_of(0x5e, 64);

	sg_io_answer(command, &io);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     (ScsiSense) { SCSI_SENSE_NO_SENSE });
	command_free(command);
}

typedef struct FillCase {
	uint8_t opcode;
	uint32_t length;
	unsigned int transfer;
	int direction;
} FillCase;

static void test_fill(void)
{
	static const FillCase cases[] = {
		/* IN: the whole buffer, whatever was asked for. */
		{ SCSI_PERSISTENT_RESERVE_IN, 0, WIRE_DATA_MAX,
		  SG_DXFER_FROM_DEV },
		{ SCSI_PERSISTENT_RESERVE_IN, 8, WIRE_DATA_MAX,
		  SG_DXFER_FROM_DEV },
		{ SCSI_PERSISTENT_RESERVE_IN, WIRE_DATA_MAX, WIRE_DATA_MAX,
		  SG_DXFER_FROM_DEV },
		/* OUT: exactly the parameter list. */
		{ SCSI_PERSISTENT_RESERVE_OUT, 24, 24, SG_DXFER_TO_DEV },
		{ SCSI_PERSISTENT_RESERVE_OUT, 1, 1, SG_DXFER_TO_DEV },
		{ SCSI_PERSISTENT_RESERVE_OUT, 0, 0, SG_DXFER_NONE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const FillCase *c = &cases[i];
		uint8_t cdb[WIRE_CDB_SIZE] = { c->opcode };
		ScsiPrCdb pr = { .opcode = c->opcode, .length = c->length };
		Command *command = command_new(cdb, &pr, -1);
		uint8_t sense[WIRE_SENSE_SIZE];
		sg_io_hdr_t io;

		sg_io_fill(command, sense, &io);
		g_assert_cmpint(io.interface_id, ==, 'S');
		g_assert_true(io.cmdp == command->cdb);
		g_assert_cmpint(io.cmd_len, ==, 10);
		g_assert_true(io.dxferp == command->data);
		g_assert_cmpuint(io.dxfer_len, ==, c->transfer);
		g_assert_cmpint(io.dxfer_direction, ==, c->direction);
		g_assert_true(io.sbp == sense);
		g_assert_cmpint(io.mx_sb_len, ==, WIRE_SENSE_SIZE);
		command_free(command);
	}
}

static void test_timeout(void)
{
	static const struct {
		int64_t left_us;
		unsigned int timeout_ms;
	} cases[] = {
		{ 25000000, 24500 },
		{ 2000000, 1500 },
		{ 1500000, 1000 },
		{ 1499000, 1000 },
		{ 100000, 1000 },
		{ 99999, 0 },
		{ 0, 0 },
		{ -1, 0 },
		{ INT64_MIN, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpuint(sg_io_timeout_ms(cases[i].left_us), ==,
				 cases[i].timeout_ms);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sg-io/fill", test_fill);
	g_test_add_func("/sg-io/timeout", test_timeout);
	g_test_add_func("/sg-io/answer/results", test_results);
	g_test_add_func("/sg-io/answer/never-good", test_never_good);
	g_test_add_func("/sg-io/answer/status-wins", test_status_wins);
	g_test_add_func("/sg-io/answer/sizes", test_sizes);
	g_test_add_func("/sg-io/answer/no-payload", test_no_payload);
	g_test_add_func("/sg-io/answer/sense", test_sense);
	g_test_add_func("/sg-io/answer/check-condition-without-sense",
			test_check_condition_without_sense);
	return g_test_run();
}
