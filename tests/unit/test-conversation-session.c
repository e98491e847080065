/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversations with the state machine: a client's bytes come in every grouping
 * that a stream socket allows.
 */
#include "session-fixture.h"

#define IN_LENGTH 40

/* Feature word, an IN, an OUT with its list, an IN: all that can be said. */
typedef struct Script {
	uint8_t features[4];
	uint8_t in[WIRE_CDB_SIZE];
	uint8_t out[WIRE_CDB_SIZE], parameters[OUT_LENGTH];
	uint8_t again[WIRE_CDB_SIZE];
} Script;

static Script script_new(void)
{
	Script script = { 0 };

	cdb_in(script.in, IN_LENGTH);
	cdb_out(script.out, OUT_LENGTH);
	for (size_t i = 0; i < OUT_LENGTH; i++)
		script.parameters[i] = (uint8_t)(0xa0 + i);
	cdb_in(script.again, 0);
	return script;
}

static void assert_command(const Session *session, const uint8_t *cdb, int fd)
{
	const Command *command = session->command;

	g_assert_cmpint(session->state, ==, SESSION_EXECUTING);
	g_assert_cmpmem(command->cdb, WIRE_CDB_SIZE, cdb, WIRE_CDB_SIZE);
	g_assert_cmphex(command->pr.opcode, ==, cdb[0]);
	g_assert_cmpint(command->fd, ==, fd);
}

/* The whole conversation, with the arrivals and departures as given. Each
 * request's descriptor comes with that byte of its CDB. */
static void converse(size_t most, size_t cut, size_t descriptor)
{
	Script script = script_new();
	Stream stream = stream_of((uint8_t *)&script, sizeof(script));
	int witness[3], fd[3];
	uint8_t features[4];
	Command *spare;
	Session session;

	stream.most = most;
	stream.cut = cut;
	witness[0] = stream_attach(&stream, 4 + descriptor);
	witness[1] = stream_attach(&stream, 20 + descriptor);
	witness[2] = stream_attach(&stream, 60 + descriptor);
	for (size_t i = 0; i < 3; i++)
		fd[i] = stream.descriptors[i].fd;

	session_init(&session);
	g_assert_cmpuint(drain(&session, features, 4, most), ==, 4);
	stream_run(&stream, &session);
	assert_command(&session, script.in, fd[0]);
	g_assert_cmpuint(stream.position, ==, 20);
	execute(&session);
	assert_good_reply(&session, IN_LENGTH, most);

	spare = session.spare;
	g_assert_nonnull(spare);
	stream_run(&stream, &session);
	g_assert_true(session.command == spare);
	g_assert_null(session.spare);
	assert_command(&session, script.out, fd[1]);
	g_assert_cmpmem(session.command->data, OUT_LENGTH, script.parameters,
			OUT_LENGTH);
	execute(&session);
	assert_good_reply(&session, 0, most);

	session_rest(&session);
	g_assert_null(session.spare);
	stream_run(&stream, &session);
	assert_command(&session, script.again, fd[2]);
	execute(&session);
	assert_good_reply(&session, 0, most);

	g_assert_cmpuint(stream.position, ==, stream.size);
	g_assert_cmpint(session.state, ==, SESSION_RECV_CDB);
	session_eof(&session);
	g_assert_null(session_breach(&session));
	session_deinit(&session);
	for (size_t i = 0; i < 3; i++) {
		g_assert_true(descriptor_is_closed(witness[i]));
		close(witness[i]);
	}
}

static void test_whole(void)
{
	converse(SIZE_MAX, SIZE_MAX, 0);
}

static void test_byte_by_byte(void)
{
	converse(1, SIZE_MAX, 0);
}

static void test_every_size(void)
{
	for (size_t most = 2; most < sizeof(Script); most++)
		converse(most, SIZE_MAX, 0);
}

static void test_every_split(void)
{
	for (size_t cut = 1; cut < sizeof(Script); cut++)
		converse(SIZE_MAX, cut, 0);
}

static void test_descriptor_on_any_byte(void)
{
	for (size_t i = 0; i < WIRE_CDB_SIZE; i++) {
		converse(SIZE_MAX, SIZE_MAX, i);
		converse(1, SIZE_MAX, i);
		converse(SIZE_MAX, 4 + i, i);
		converse(SIZE_MAX, 5 + i, i);
	}
}

static void test_largest(void)
{
	g_autofree uint8_t *list = g_malloc(WIRE_DATA_MAX);
	uint8_t cdb[WIRE_CDB_SIZE];
	Session session;

	session_connect(&session);
	cdb_in(cdb, WIRE_DATA_MAX);
	close(session_request(&session, cdb));
	execute(&session);
	assert_good_reply(&session, WIRE_DATA_MAX, 1000);

	cdb_out(cdb, WIRE_DATA_MAX);
	close(session_request(&session, cdb));
	memset(list, 0x77, WIRE_DATA_MAX);
	feed(&session, list, WIRE_DATA_MAX);
	g_assert_cmpint(session.state, ==, SESSION_EXECUTING);
	g_assert_cmpmem(session.command->data, WIRE_DATA_MAX, list,
			WIRE_DATA_MAX);
	execute(&session);
	assert_good_reply(&session, 0, SIZE_MAX);
	session_deinit(&session);
}

static void test_out_without_parameters(void)
{
	uint8_t cdb[WIRE_CDB_SIZE];
	Session session;

	session_connect(&session);
	cdb_out(cdb, 0);
	close(session_request(&session, cdb));
	g_assert_cmpint(session.state, ==, SESSION_EXECUTING);
	execute(&session);
	assert_good_reply(&session, 0, SIZE_MAX);
	session_deinit(&session);
}

/* The request that came early waits outside until the reply is out. */
static void test_early_request(void)
{
	uint8_t cdb[2 * WIRE_CDB_SIZE] = { 0 };
	int witness;
	Stream stream = stream_of(cdb, sizeof(cdb));
	Session session;

	cdb_in(cdb, 8);
	cdb_in(cdb + WIRE_CDB_SIZE, 16);
	close(stream_attach(&stream, 0));
	witness = stream_attach(&stream, WIRE_CDB_SIZE);
	session_connect(&session);
	stream_run(&stream, &session);
	g_assert_cmpuint(stream.position, ==, WIRE_CDB_SIZE);
	g_assert_cmpint(wants(&session), ==, SESSION_WANTS_ANSWER);
	execute(&session);
	g_assert_cmpint(wants(&session), ==, SESSION_WANTS_WRITE);
	stream_run(&stream, &session);
	g_assert_cmpuint(stream.position, ==, WIRE_CDB_SIZE);
	assert_good_reply(&session, 8, 50);
	stream_run(&stream, &session);
	g_assert_cmpuint(stream.position, ==, 2 * WIRE_CDB_SIZE);
	execute(&session);
	assert_good_reply(&session, 16, SIZE_MAX);
	session_deinit(&session);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

static void test_reply_by_byte(void)
{
	uint8_t cdb[WIRE_CDB_SIZE];
	Session session;

	session_connect(&session);
	cdb_in(cdb, 200);
	close(session_request(&session, cdb));
	execute(&session);
	assert_good_reply(&session, 200, 1);
	g_assert_cmpint(session.state, ==, SESSION_RECV_CDB);
	session_deinit(&session);
}

static void test_error_reply(void)
{
	uint8_t cdb[WIRE_CDB_SIZE], reply[WIRE_REPLY_SIZE];
	Command *command;
	Session session;

	session_connect(&session);
	cdb_in(cdb, 200);
	close(session_request(&session, cdb));
	command = session_steal_command(&session);
	fd_clear(&command->fd);
	command_refuse(command, FAILURE_NOT_SUPPORTED, "test");
	session_answer(&session, command);
	g_assert_cmpuint(drain(&session, reply, sizeof(reply), 7), ==,
			 WIRE_REPLY_SIZE);
	g_assert_cmphex(be32_get(reply), ==, SCSI_CHECK_CONDITION);
	g_assert_cmpuint(be32_get(reply + 4), ==, 0);
	assert_sense(reply + 8, WIRE_SENSE_SIZE,
		     failure_sense(FAILURE_NOT_SUPPORTED));
	session_deinit(&session);
}

/* Some of the reply has gone out already, or all of it. */
static void test_reply_sent_before(void)
{
	enum { TOTAL = WIRE_REPLY_SIZE + 30 };
	uint8_t cdb[WIRE_CDB_SIZE], reply[TOTAL];
	Command *command;
	Session session;

	session_connect(&session);
	cdb_in(cdb, 30);
	for (size_t sent = 0; sent <= TOTAL; sent++) {
		close(session_request(&session, cdb));
		command = session_steal_command(&session);
		fd_clear(&command->fd);
		command->data[29] = 0x77;
		command_answer(command, SCSI_GOOD, NULL, 0, 30);
		command->sent = sent;
		session_answer(&session, command);
		reply[TOTAL - 1] = 0x77;
		g_assert_cmpuint(
			drain(&session, reply + sent, TOTAL - sent, 50), ==,
			TOTAL - sent);
		g_assert_cmphex(reply[TOTAL - 1], ==, 0x77);
		g_assert_cmpint(session.state, ==, SESSION_RECV_CDB);
	}
	session_deinit(&session);
}

static void test_state_names(void)
{
	for (SessionState a = 0; a <= SESSION_CLOSED; a++) {
		g_assert_nonnull(session_state_name(a));
		for (SessionState b = 0; b < a; b++)
			g_assert_cmpstr(session_state_name(a), !=,
					session_state_name(b));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/session/arrival/whole", test_whole);
	g_test_add_func("/session/arrival/byte-by-byte", test_byte_by_byte);
	g_test_add_func("/session/arrival/every-size", test_every_size);
	g_test_add_func("/session/arrival/every-split", test_every_split);
	g_test_add_func("/session/arrival/descriptor-on-any-byte",
			test_descriptor_on_any_byte);
	g_test_add_func("/session/arrival/early-request", test_early_request);
	g_test_add_func("/session/size/largest", test_largest);
	g_test_add_func("/session/size/out-without-parameters",
			test_out_without_parameters);
	g_test_add_func("/session/reply/by-byte", test_reply_by_byte);
	g_test_add_func("/session/reply/error", test_error_reply);
	g_test_add_func("/session/reply/sent-before", test_reply_sent_before);
	g_test_add_func("/session/state-names", test_state_names);
	return g_test_run();
}
