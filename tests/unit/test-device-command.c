/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers: what goes to the client never exceeds what it asked for, and is
 * well-formed whatever the device said.
 */
#include "device/command.h"

#include "testing.h"

static Command *command_of(uint8_t opcode, uint32_t length, int fd)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { opcode, 0x01 };
	ScsiPrCdb pr = { .opcode = opcode, .length = length };

	return command_new(cdb, &pr, fd);
}

static void test_new(void)
{
	static const uint8_t cdb[WIRE_CDB_SIZE] = { 0x5e, 1,  2,  3, 4,  5,
						    6,    7,  8,  9, 10, 11,
						    12,   13, 14, 15 };
	ScsiPrCdb pr = { .opcode = 0x5e, .service_action = 1, .length = 99 };
	int witness, fd = descriptor_new(&witness);
	Command *command = command_new(cdb, &pr, fd);

	g_assert_cmpmem(command->cdb, WIRE_CDB_SIZE, cdb, sizeof(cdb));
	g_assert_cmpmem(&command->pr, sizeof(pr), &pr, sizeof(pr));
	g_assert_cmpint(command->fd, ==, fd);
	g_assert_false(descriptor_is_closed(witness));
	command_free(command);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

/* Where the next command is likely to lie, something was. */
static void leave_dirt(void)
{
	void *dirt = g_malloc(sizeof(Command));

	memset(dirt, 0x5a, sizeof(Command));
	g_free(dirt);
}

/* A device that fills less than it says must not show an old command's bytes,
 * as far as they can be sent. */
static void test_new_is_clean(void)
{
	Command *command;

	leave_dirt();
	command = command_of(0x5e, WIRE_DATA_MAX, -1);
	for (size_t i = 0; i < WIRE_DATA_MAX; i++)
		g_assert_cmphex(command->data[i], ==, 0);
	command_free(command);
	leave_dirt();
	command = command_of(0x5f, 24, -1);
	g_assert_null(command->connection);
	g_assert_null(command->backend);
	g_assert_cmpuint(command->sent, ==, 0);
	g_assert_cmpuint(command->reply.size, ==, 0);
	for (size_t i = 0; i < WIRE_SENSE_SIZE; i++)
		g_assert_cmphex(command->reply.sense[i], ==, 0);
	command_free(command);
}

/* The same for memory that another command has had. */
static void test_renew(void)
{
	int witness;
	Command *old = command_of(0x5f, 24, descriptor_new(&witness)), *command;
	uint8_t cdb[WIRE_CDB_SIZE] = { 0x5e };
	ScsiPrCdb pr = { .opcode = 0x5e, .length = WIRE_DATA_MAX };

	command_refuse(old, FAILURE_NOT_SENT, "test");
	old->sent = 1;
	memset(old->data, 0x5a, sizeof(old->data));
	command = command_renew(old, cdb, &pr, -1);
	g_assert_true(descriptor_is_closed(witness));
	g_assert_cmpint(command->fd, ==, -1);
	g_assert_cmpuint(command->sent, ==, 0);
	g_assert_cmpint(command->failure, ==, FAILURE_NONE);
	for (size_t i = 0; i < WIRE_DATA_MAX; i++)
		g_assert_cmphex(command->data[i], ==, 0);
	command_free(command);
	close(witness);
}

static void test_free_nothing(void)
{
	command_free(NULL);
	command_free(command_of(0x5e, 0, -1));
}

static void test_refuse(void)
{
	Command *command = command_of(0x5e, 100, -1);

	/* Whatever an earlier answer left. */
	memset(&command->reply, 0x5a, sizeof(command->reply));
	command_refuse(command, FAILURE_NOT_SUPPORTED, "because of %d", 42);
	g_assert_cmphex(command->reply.status, ==, SCSI_CHECK_CONDITION);
	g_assert_cmpuint(command->reply.size, ==, 0);
	g_assert_cmpint(command->failure, ==, FAILURE_NOT_SUPPORTED);
	g_assert_cmpstr(command->reason, ==, "because of 42");
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(FAILURE_NOT_SUPPORTED));
	for (size_t i = SCSI_SENSE_FIXED_LENGTH; i < WIRE_SENSE_SIZE; i++)
		g_assert_cmphex(command->reply.sense[i], ==, 0);
	command_free(command);
}

static void test_refuse_long_reason(void)
{
	g_autofree char *reason = g_strnfill(4 * COMMAND_REASON_SIZE, 'x');
	Command *command = command_of(0x5f, 0, -1);

	command_refuse(command, FAILURE_NOT_SENT, "%s", reason);
	g_assert_cmpuint(strlen(command->reason), ==, COMMAND_REASON_SIZE - 1);
	g_assert_true(g_str_has_prefix(reason, command->reason));
	command_free(command);
}

/* The values are part of the protocol's contract with guests. */
static void test_senses(void)
{
	static const ScsiSense senses[FAILURE_COUNT] = {
		[FAILURE_NOT_SUPPORTED] = { 0x5, 0x20, 0x00 },
		[FAILURE_INVALID_FIELD] = { 0x5, 0x24, 0x00 },
		[FAILURE_NO_SCSI_DEVICE] = { 0xb, 0x00, 0x06 },
		[FAILURE_NOT_SENT] = { 0xb, 0x2e, 0x01 },
		[FAILURE_OUTCOME_UNKNOWN] = { 0xb, 0x2e, 0x02 },
		[FAILURE_NO_RESOURCES] = { 0xb, 0x55, 0x03 },
		[FAILURE_NO_PATH] = { 0xb, 0x05, 0x00 },
		[FAILURE_DISRUPTED] = { 0xb, 0x08, 0x00 },
		[FAILURE_TRANSPORT] = { 0xb, 0x00, 0x06 },
	};

	for (Failure i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++) {
		Command *command = command_of(0x5e, 8, -1);

		command_refuse(command, i, "test");
		assert_sense(command->reply.sense, WIRE_SENSE_SIZE, senses[i]);
		command_free(command);
	}
}

/* Marks the failures with this sense data. */
static void mark_documented(ScsiSense sense, bool *documented)
{
	bool any = false;

	for (Failure i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++) {
		ScsiSense own = failure_sense(i);

		if (memcmp(&own, &sense, sizeof(own)) == 0)
			any = documented[i] = true;
	}
	g_assert_true(any);
}

/* A row of the table: "| B/2E/01 | COMMAND TIMEOUT ... | ...". False: it is
 * none. The name of the code stands in the first row that has it. */
static bool read_row(const char *line, bool *documented)
{
	g_auto(GStrv) cells = g_strsplit(line, " | ", 3);
	unsigned int key, asc, ascq;

	if (sscanf(cells[0] ? cells[0] : "", "| %x/%x/%x", &key, &asc, &ascq) !=
	    3)
		return false;
	g_test_message("%s", line);
	mark_documented(
		(ScsiSense) { (uint8_t)key, (uint8_t)asc, (uint8_t)ascq },
		documented);
	if (cells[1][0] != '|')
		g_assert_cmpstr(
			cells[1], ==,
			scsi_sense_code_text((uint8_t)asc, (uint8_t)ascq));
	return true;
}

/* The document for operators lists the same sense data, all of it and no
 * other. */
static void test_senses_documented(void)
{
	g_autofree char *text = file_read("docs/PROTOCOL.md");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	bool documented[FAILURE_COUNT] = { false };
	unsigned int rows = 0;

	for (size_t i = 0; lines[i]; i++)
		rows += read_row(lines[i], documented);
	g_assert_cmpuint(rows, >=, FAILURE_COUNT - 1);
	for (Failure i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++)
		g_assert_true(documented[i]);
}

typedef struct PayloadCase {
	uint8_t opcode, status;
	uint32_t length;
	size_t transferred;
	uint32_t size;
} PayloadCase;

static void test_payload(void)
{
	static const PayloadCase cases[] = {
		{ 0x5e, SCSI_GOOD, 100, 40, 40 },
		{ 0x5e, SCSI_GOOD, 40, 40, 40 },
		{ 0x5e, SCSI_GOOD, 8, 8192, 8 },
		{ 0x5e, SCSI_GOOD, 0, 8192, 0 },
		{ 0x5e, SCSI_GOOD, 8192, 0, 0 },
		{ 0x5e, SCSI_GOOD, 8192, 8192, 8192 },
		{ 0x5e, SCSI_GOOD, 8192, SIZE_MAX, 8192 },
		{ 0x5e, SCSI_CHECK_CONDITION, 100, 40, 0 },
		{ 0x5e, SCSI_RESERVATION_CONFLICT, 100, 40, 0 },
		{ 0x5e, SCSI_BUSY, 100, 40, 0 },
		{ 0x5f, SCSI_GOOD, 24, 24, 0 },
		{ 0x5f, SCSI_GOOD, 8192, 8192, 0 },
		{ 0x5f, SCSI_CHECK_CONDITION, 24, 24, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command =
			command_of(cases[i].opcode, cases[i].length, -1);

		g_test_message("case %zu", i);
		command->reply.size = 0x5a5a;
		command_answer(command, cases[i].status, NULL, 0,
			       cases[i].transferred);
		g_assert_cmphex(command->reply.status, ==, cases[i].status);
		g_assert_cmpuint(command->reply.size, ==, cases[i].size);
		g_assert_cmpint(command->failure, ==, FAILURE_NONE);
		command_free(command);
	}
}

static void test_sense_passed(void)
{
	static const uint8_t statuses[] = { SCSI_CHECK_CONDITION, SCSI_GOOD,
					    SCSI_RESERVATION_CONFLICT };
	uint8_t sense[WIRE_SENSE_SIZE];

	for (size_t i = 0; i < sizeof(sense); i++)
		sense[i] = (uint8_t)(0x72 + i);
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++) {
		Command *command = command_of(0x5e, 8, -1);

		memset(command->reply.sense, 0x5a, WIRE_SENSE_SIZE);
		command_answer(command, statuses[i], sense, 20, 0);
		g_assert_cmpmem(command->reply.sense, 20, sense, 20);
		for (size_t j = 20; j < WIRE_SENSE_SIZE; j++)
			g_assert_cmphex(command->reply.sense[j], ==, 0);
		command_answer(command, statuses[i], sense, WIRE_SENSE_SIZE, 0);
		g_assert_cmpmem(command->reply.sense, WIRE_SENSE_SIZE, sense,
				sizeof(sense));
		command_free(command);
	}
}

/* QEMU hands the bytes on to the guest, which must be able to read them. */
static void test_check_condition_without_sense(void)
{
	static const uint8_t zeroes[18] = { 0 };
	Command *command = command_of(0x5e, 8, -1);

	command_answer(command, SCSI_CHECK_CONDITION, NULL, 0, 0);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     (ScsiSense) { SCSI_SENSE_NO_SENSE });
	command_answer(command, SCSI_CHECK_CONDITION, zeroes, sizeof(zeroes),
		       0);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     (ScsiSense) { SCSI_SENSE_NO_SENSE });
	command_free(command);
}

static void test_no_sense_without_check_condition(void)
{
	Command *command = command_of(0x5e, 8, -1);

	memset(command->reply.sense, 0x5a, WIRE_SENSE_SIZE);
	command_answer(command, SCSI_RESERVATION_CONFLICT, NULL, 0, 0);
	for (size_t i = 0; i < WIRE_SENSE_SIZE; i++)
		g_assert_cmphex(command->reply.sense[i], ==, 0);
	command_free(command);
}

static Command *stuck_command(int fd, Connection *connection)
{
	Command *command = command_of(0x5f, 24, fd);

	command->pr.type = 5;
	command->peer = (Peer) { .pid = 17, .uid = 18, .gid = 19, .comm = "q" };
	command->connection = connection;
	command->arrival_us = 123456789;
	command->queue_key = 77;
	command->block = true;
	command->major = 8;
	command->minor = 16;
	memset(command->data, 0xab, 24);
	return command;
}

static void test_substitute(void)
{
	char anything;
	Connection *connection = (Connection *)&anything;
	int witness, fd = descriptor_new(&witness);
	Command *stuck = stuck_command(fd, connection);
	Command *command = command_new_substitute(stuck);

	g_assert_true(command != stuck);
	g_assert_cmpint(command->fd, ==, -1);
	g_assert_cmpint(stuck->fd, ==, fd);
	g_assert_cmpmem(command->cdb, WIRE_CDB_SIZE, stuck->cdb, WIRE_CDB_SIZE);
	g_assert_cmpmem(&command->pr, sizeof(command->pr), &stuck->pr,
			sizeof(stuck->pr));
	g_assert_cmpint(command->peer.pid, ==, 17);
	g_assert_cmpstr(command->peer.comm, ==, "q");
	g_assert_true(command->connection == connection);
	g_assert_cmpint(command->arrival_us, ==, 123456789);
	g_assert_cmpuint(command->queue_key, ==, 77);
	g_assert_true(command->block);
	g_assert_cmpuint(command->major, ==, 8);
	g_assert_cmpuint(command->minor, ==, 16);
	g_assert_cmphex(command->data[23], ==, 0xab);

	command_free(command);
	g_assert_false(descriptor_is_closed(witness));
	command_free(stuck);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

/* What a device is still writing into must not be read meanwhile. */
static void test_substitute_of_in(void)
{
	Command *stuck = command_of(0x5e, 24, -1);
	Command *command;

	memset(stuck->data, 0xab, 24);
	command = command_new_substitute(stuck);
	g_assert_cmphex(command->data[0], ==, 0);
	command_free(command);
	command_free(stuck);
}

static void test_pack(void)
{
	Command *command = command_of(0x5e, 40, -1);

	command_answer(command, SCSI_GOOD, NULL, 0, 40);
	g_assert_cmpuint(command_pack(command), ==, WIRE_REPLY_SIZE + 40);
	g_assert_cmpmem(command->header, 8, "\0\0\0\0\0\0\0\50", 8);
	command_refuse(command, FAILURE_NOT_SENT, "test");
	g_assert_cmpuint(command_pack(command), ==, WIRE_REPLY_SIZE);
	g_assert_cmpmem(command->header, 8, "\0\0\0\2\0\0\0\0", 8);
	assert_sense(command->header + 8, WIRE_SENSE_SIZE,
		     failure_sense(FAILURE_NOT_SENT));
	g_assert_cmpuint(command->sent, ==, 0);
	command_free(command);
}

static void test_answered_when(void)
{
	gint64 before = g_get_monotonic_time();
	Command *command = command_of(0x5e, 40, -1);

	command_answer(command, SCSI_GOOD, NULL, 0, 40);
	g_assert_cmpint(command->answered_us, >=, before);
	command->answered_us = 0;
	command_refuse(command, FAILURE_NOT_SENT, "test");
	g_assert_cmpint(command->answered_us, >=, before);
	g_assert_cmpint(command->answered_us, <=, g_get_monotonic_time());
	command_free(command);
}

static void test_take_answer(void)
{
	Command *command = command_of(0x5e, 16, -1);
	Command *from = command_new_substitute(command);

	command_refuse(command, FAILURE_NOT_SENT, "before");
	memcpy(from->data, "payload", 8);
	command_answer(from, SCSI_GOOD, NULL, 0, 8);
	command_take_answer(command, from);
	g_assert_cmpint(command->failure, ==, FAILURE_NONE);
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	g_assert_cmpuint(command->reply.size, ==, 8);
	g_assert_cmpstr((char *)command->data, ==, "payload");
	g_assert_cmpint(command->answered_us, ==, from->answered_us);

	command_refuse(from, FAILURE_NO_RESOURCES, "after");
	command_take_answer(command, from);
	g_assert_cmpint(command->failure, ==, FAILURE_NO_RESOURCES);
	g_assert_cmpstr(command->reason, ==, "after");
	g_assert_cmpuint(command->reply.size, ==, 0);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(FAILURE_NO_RESOURCES));
	command_free(from);
	command_free(command);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/command/new", test_new);
	g_test_add_func("/command/new-is-clean", test_new_is_clean);
	g_test_add_func("/command/renew", test_renew);
	g_test_add_func("/command/free-nothing", test_free_nothing);
	g_test_add_func("/command/refuse/reply", test_refuse);
	g_test_add_func("/command/refuse/long-reason", test_refuse_long_reason);
	g_test_add_func("/command/refuse/senses", test_senses);
	g_test_add_func("/command/refuse/senses-documented",
			test_senses_documented);
	g_test_add_func("/command/answer/payload", test_payload);
	g_test_add_func("/command/answer/sense", test_sense_passed);
	g_test_add_func("/command/answer/check-condition-without-sense",
			test_check_condition_without_sense);
	g_test_add_func("/command/answer/no-sense",
			test_no_sense_without_check_condition);
	g_test_add_func("/command/pack", test_pack);
	g_test_add_func("/command/answered-when", test_answered_when);
	g_test_add_func("/command/take-answer", test_take_answer);
	g_test_add_func("/command/substitute/out", test_substitute);
	g_test_add_func("/command/substitute/in", test_substitute_of_in);
	return g_test_run();
}
