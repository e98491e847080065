/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each breach of the protocol is found, and no descriptor is lost by it; those
 * that come where none belongs are no breach.
 */
#include "session-fixture.h"

static void test_breach_features(void)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		uint8_t features[4];
		Session session;

		session_init(&session);
		drain(&session, features, 4, 4);
		be32_put(features, 1u << bit);
		feed(&session, features, 4);
		assert_breach(&session, "feature");
		session_deinit(&session);
	}
}

static void breach_cdb(const uint8_t *cdb, const char *word)
{
	Session session;
	int witness;

	session_connect(&session);
	witness = session_request(&session, cdb);
	assert_breach(&session, word);
	session_deinit(&session);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

static void test_breach_opcode(void)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { 0 };

	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		cdb[0] = (uint8_t)opcode;
		if (opcode != 0x5e && opcode != 0x5f)
			breach_cdb(cdb, "PERSISTENT RESERVE");
	}
}

static void test_breach_length(void)
{
	static const uint32_t lengths[] = { 8193,    0xffff,     0x10000,
					    0x12000, 0x01000018, 0xffffffff };
	uint8_t cdb[WIRE_CDB_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		cdb_out(cdb, lengths[i]);
		breach_cdb(cdb, "8192");
	}
	cdb_in(cdb, 8193);
	breach_cdb(cdb, "8192");
	cdb_in(cdb, 0xffff);
	breach_cdb(cdb, "8192");
}

static void test_breach_no_descriptor(void)
{
	uint8_t cdb[WIRE_CDB_SIZE];
	Session session;

	session_connect(&session);
	cdb_in(cdb, 8);
	feed(&session, cdb, sizeof(cdb));
	assert_breach(&session, "descriptor");
	session_deinit(&session);
}

/* Each request needs a descriptor of its own. */
static void test_breach_no_second_descriptor(void)
{
	uint8_t cdb[WIRE_CDB_SIZE];
	Session session;

	session_connect(&session);
	cdb_in(cdb, 8);
	close(session_request(&session, cdb));
	execute(&session);
	assert_good_reply(&session, 8, SIZE_MAX);
	feed(&session, cdb, sizeof(cdb));
	assert_breach(&session, "descriptor");
	session_deinit(&session);
}

static void test_breach_two_descriptors(void)
{
	int witness[2], fds[2];
	Session session;

	session_connect(&session);
	for (size_t i = 0; i < 2; i++)
		fds[i] = descriptor_new(&witness[i]);
	g_assert_false(session_take_descriptors(&session, fds, 2));
	assert_breach(&session, "more than one");
	/* The bytes that they came with are still reported. */
	session_advance(&session, WIRE_CDB_SIZE);
	assert_breach(&session, "more than one");
	session_deinit(&session);
	for (size_t i = 0; i < 2; i++) {
		g_assert_false(descriptor_is_closed(witness[i]));
		close(fds[i]);
		close(witness[i]);
	}
}

/* The second one with a later byte: the first was taken, and must not leak. */
static void test_breach_second_descriptor(void)
{
	for (size_t i = 0; i < WIRE_CDB_SIZE; i++) {
		uint8_t cdb[WIRE_CDB_SIZE] = { 0 };
		Stream stream = stream_of(cdb, sizeof(cdb));
		int witness[2];
		Session session;

		cdb_in(cdb, 8);
		stream.most = 1;
		witness[0] = stream_attach(&stream, 0);
		witness[1] = stream_attach(&stream, i);
		session_connect(&session);
		stream_run(&stream, &session);
		assert_breach(&session, "more than one");
		session_deinit(&session);
		g_assert_true(descriptor_is_closed(witness[0]));
		g_assert_true(descriptor_is_closed(witness[1]));
		close(witness[0]);
		close(witness[1]);
	}
}

static void test_breach_lost_descriptors(void)
{
	Session session;

	session_connect(&session);
	session_descriptors_lost(&session);
	assert_breach(&session, "table");
	session_advance(&session, WIRE_CDB_SIZE);
	session_deinit(&session);
}

static void test_no_descriptors(void)
{
	Session session;

	session_connect(&session);
	g_assert_false(session_take_descriptors(&session, NULL, 0));
	g_assert_cmpint(session.state, ==, SESSION_RECV_CDB);
	g_assert_false(session_is_busy(&session));
	session_deinit(&session);
}

/* Descriptors that come, or get lost, where none belongs are no breach. */
static void assert_descriptors_ignored(Session *session)
{
	SessionState state = session->state;
	int witness, fds[2] = { descriptor_new(&witness), -1 };

	fds[1] = fds[0];
	g_assert_false(session_take_descriptors(session, fds, 1));
	g_assert_false(session_take_descriptors(session, fds, 2));
	session_descriptors_lost(session);
	g_assert_cmpint(session->state, ==, state);
	g_assert_null(session_breach(session));
	close(fds[0]);
	close(witness);
}

static void test_descriptors_elsewhere(void)
{
	static const uint8_t none[4] = { 0 }, list[OUT_LENGTH] = { 0 };
	uint8_t cdb[WIRE_CDB_SIZE], features[4];
	Session session;
	int witness;

	session_init(&session);
	drain(&session, features, 4, 4);
	assert_descriptors_ignored(&session);
	feed(&session, none, 2);
	assert_descriptors_ignored(&session);
	feed(&session, none, 2);

	cdb_out(cdb, OUT_LENGTH);
	witness = session_request(&session, cdb);
	assert_descriptors_ignored(&session);
	feed(&session, list, OUT_LENGTH - 1);
	assert_descriptors_ignored(&session);
	feed(&session, list, 1);
	g_assert_cmpint(session.state, ==, SESSION_EXECUTING);
	g_assert_false(descriptor_is_closed(witness));
	execute(&session);
	assert_good_reply(&session, 0, SIZE_MAX);
	session_deinit(&session);
	close(witness);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/session/breach/features", test_breach_features);
	g_test_add_func("/session/breach/opcode", test_breach_opcode);
	g_test_add_func("/session/breach/length", test_breach_length);
	g_test_add_func("/session/breach/no-descriptor",
			test_breach_no_descriptor);
	g_test_add_func("/session/breach/no-second-descriptor",
			test_breach_no_second_descriptor);
	g_test_add_func("/session/breach/two-descriptors",
			test_breach_two_descriptors);
	g_test_add_func("/session/breach/second-descriptor",
			test_breach_second_descriptor);
	g_test_add_func("/session/breach/lost-descriptors",
			test_breach_lost_descriptors);
	g_test_add_func("/session/descriptors/none", test_no_descriptors);
	g_test_add_func("/session/descriptors/elsewhere",
			test_descriptors_elsewhere);
	return g_test_run();
}
