/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator reads, and how much of it. The clock is the test's own: an
 * interval passes when the test says so.
 */
#include "serve/audit.h"

#include "base/bytes.h"
#include "capture.h"

#define SECOND_US ((gint64)1000 * 1000)

static gint64 clock_now = SECOND_US;

/* In place of GLib's, for the code under test. */
gint64 g_get_monotonic_time(void)
{
	return clock_now;
}

/* Of the other tests nothing is left in the limits. */
static void next_interval(void)
{
	clock_now += 10 * SECOND_US;
}

static Command *command_of(uint8_t opcode, uint8_t action)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { opcode, action };
	ScsiPrCdb pr;
	Command *command;

	if (opcode == SCSI_PERSISTENT_RESERVE_OUT) {
		cdb[2] = 5;
		cdb[8] = 24;
	} else {
		cdb[8] = 255;
	}
	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, -1);
	command->peer = (Peer) { .pid = 4242, .uid = 107, .comm = "qemu" };
	command->arrival_us = clock_now - 1234;
	be64_put(command->data, 0xa11ce);
	be64_put(command->data + 8, 0xb0b);
	return command;
}

static void audit(Command *command, AuditLimit *limit)
{
	audit_command(command, limit);
	command_free(command);
}

static Command *answered(uint8_t opcode, uint8_t action, uint8_t status)
{
	Command *command = command_of(opcode, action);

	command_answer(command, status, NULL, 0, 0);
	command->answered_us = clock_now;
	return command;
}

static void test_record(void)
{
	Capture log = capture_log();
	g_autofree char *text = NULL;

	audit(answered(0x5f, SCSI_PR_OUT_PREEMPT, SCSI_RESERVATION_CONFLICT),
	      NULL);
	text = captured(&log);
	capture_end(&log);
	g_assert_cmpstr(
		text, ==,
		"qemu-pr-helper: client pid 4242 (qemu) uid 107: PERSISTENT "
		"RESERVE OUT PREEMPT (0x04) on no device, type Write Exclusive "
		"- Registrants Only (5), key 0xa11ce, service action key "
		"0xb0b: RESERVATION CONFLICT (0x18), 1.234 ms\n");
}

static void test_own_answer(void)
{
	Command *command = command_of(0x5e, SCSI_PR_IN_READ_KEYS);
	Capture log = capture_log();

	command->block = true;
	command->major = 8;
	command->minor = 4095;
	command_refuse(command, FAILURE_NOT_SENT, "it was %s", "late");
	audit(command, NULL);
	g_assert_cmpuint(captured_times(&log, "READ KEYS (0x00)"), ==, 1);
	g_assert_cmpuint(captured_times(&log, "(8:4095)"), ==, 1);
	g_assert_cmpuint(captured_times(&log, "B/2E/01"), ==, 1);
	g_assert_cmpuint(captured_times(&log, "by the helper: it was late"), ==,
			 1);
	capture_end(&log);
}

/* What changes nothing and went well is for -v. */
static void test_levels(void)
{
	Capture log = capture_log();
	Command *command = answered(0x5e, SCSI_PR_IN_READ_KEYS, SCSI_GOOD);

	g_assert_false(audit_wants(command));
	audit_command(command, NULL);
	g_assert_cmpuint(captured_times(&log, "READ KEYS"), ==, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	g_assert_true(audit_wants(command));
	audit(command, NULL);
	g_assert_cmpuint(captured_times(&log, "READ KEYS"), ==, 1);

	log_set_level(LOG_LEVEL_WARNING);
	command = answered(0x5f, SCSI_PR_OUT_CLEAR, SCSI_GOOD);
	g_assert_false(audit_wants(command));
	audit(command, NULL);
	g_assert_cmpuint(captured_times(&log, "CLEAR"), ==, 0);
	capture_end(&log);
}

static void test_late(void)
{
	Command *command = answered(0x5f, SCSI_PR_OUT_CLEAR, SCSI_GOOD);
	Capture log = capture_log();

	log_set_level(LOG_LEVEL_WARNING);
	audit_late(command);
	g_assert_cmpuint(captured_times(&log, "too late, nobody waits for it"),
			 ==, 1);
	command_free(command);
	capture_end(&log);
}

static unsigned int breaches(const Capture *log, unsigned int count)
{
	static const Peer peer = { .pid = 7, .uid = 0, .comm = "bad" };
	unsigned int before = captured_times(log, "has erred");

	while (count-- > 0)
		audit_peer(&peer, "has erred");
	return captured_times(log, "has erred") - before;
}

/* Twenty in ten seconds, of all clients together. */
static void test_breaches(void)
{
	Capture log = capture_log();

	next_interval();
	g_assert_cmpuint(breaches(&log, 20), ==, 20);
	g_assert_cmpuint(breaches(&log, 7), ==, 0);
	clock_now += 10 * SECOND_US - 1;
	g_assert_cmpuint(breaches(&log, 1), ==, 0);
	clock_now += 1;
	g_assert_cmpuint(breaches(&log, 21), ==, 20);
	g_assert_cmpuint(captured_times(&log, "client pid 7 (bad) uid 0 has "
					      "erred\n"),
			 ==, 40);
	capture_end(&log);
}

static unsigned int commands(const Capture *log, AuditLimit *limit,
			     unsigned int count)
{
	unsigned int before = captured_times(log, "CLEAR");

	while (count-- > 0)
		audit(answered(0x5f, SCSI_PR_OUT_CLEAR, SCSI_GOOD), limit);
	return captured_times(log, "CLEAR") - before;
}

/* A hundred of each client, two thousand of all; each with its own count. */
static void test_commands(void)
{
	AuditLimit limits[21] = { 0 };
	Capture log = capture_log();

	next_interval();
	for (size_t i = 0; i < 20; i++)
		g_assert_cmpuint(commands(&log, &limits[i], 103), ==, 100);
	g_assert_cmpuint(commands(&log, &limits[20], 5), ==, 0);
	g_assert_cmpuint(captured_times(&log, "suppressed"), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(limits); i++)
		audit_limit_clear(&limits[i]);
	g_assert_cmpuint(captured_times(&log, "3 messages were suppressed"), ==,
			 20);
	next_interval();
	g_assert_cmpuint(commands(&log, &limits[0], 101), ==, 100);
	audit_limit_clear(&limits[0]);
	g_assert_cmpuint(captured_times(&log, " 1 message was suppressed"), ==,
			 1);
	g_assert_cmpuint(commands(&log, &limits[20], 5), ==, 5);
	audit_limit_clear(&limits[20]);
	capture_end(&log);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/audit/record", test_record);
	g_test_add_func("/audit/own-answer", test_own_answer);
	g_test_add_func("/audit/levels", test_levels);
	g_test_add_func("/audit/late", test_late);
	g_test_add_func("/audit/breaches", test_breaches);
	g_test_add_func("/audit/commands", test_commands);
	return g_test_run();
}
