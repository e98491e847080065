/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session is, and what becomes of the descriptor, in each place where a
 * client can leave it.
 */
#include "session-fixture.h"

/* One session in each place where a client can leave it. */
typedef enum Place {
	AT_START,
	IN_FEATURES_OUT,
	AT_FEATURES,
	IN_FEATURES,
	AT_CDB,
	WITH_DESCRIPTOR,
	IN_CDB,
	IN_CDB_WITHOUT_DESCRIPTOR,
	AT_PARAMETERS,
	IN_PARAMETERS,
	AT_EXECUTION,
	IN_EXECUTION,
	AT_REPLY,
	IN_REPLY,
	AFTER_REPLY,
	PLACES,
} Place;

/* Moves some bytes, whatever the session wants. */
static void move(Session *session, size_t size)
{
	uint8_t *bytes;
	size_t most;
	SessionWants kind = session_wants(session, &bytes, &most);

	g_assert_cmpuint(size, <=, most);
	if (kind == SESSION_WANTS_READ)
		memset(bytes, 0, size);
	session_advance(session, size);
}

/* Up to where a command with a parameter list is complete. */
static void visit_request(Session *session, Place place, int fd)
{
	uint8_t cdb[WIRE_CDB_SIZE];

	cdb_out(cdb, OUT_LENGTH);
	if (place == AT_CDB)
		return;
	if (place == IN_CDB_WITHOUT_DESCRIPTOR) {
		move(session, 3);
		return;
	}
	g_assert_true(session_take_descriptors(session, &fd, 1));
	if (place == WITH_DESCRIPTOR)
		return;
	feed(session, cdb, 3);
	if (place == IN_CDB)
		return;
	feed(session, cdb + 3, sizeof(cdb) - 3);
	if (place == AT_PARAMETERS)
		return;
	move(session, 1);
	if (place != IN_PARAMETERS)
		move(session, OUT_LENGTH - 1);
}

/* Goes to the place; returns the command where the test has it. */
static Command *visit(Session *session, Place place, int fd)
{
	Command *command = NULL;

	session_init(session);
	if (place == IN_FEATURES_OUT)
		move(session, 1);
	if (place >= AT_FEATURES)
		move(session, 4);
	if (place == IN_FEATURES)
		move(session, 1);
	if (place >= AT_CDB) {
		move(session, 4);
		visit_request(session, place, fd);
	}
	if (place >= IN_EXECUTION)
		command = session_steal_command(session);
	if (place < AT_REPLY)
		return command;
	fd_clear(&command->fd);
	command_answer(command, SCSI_GOOD, NULL, 0, 0);
	session_answer(session, command);
	if (place == IN_REPLY)
		move(session, 1);
	if (place == AFTER_REPLY)
		move(session, WIRE_REPLY_SIZE);
	return NULL;
}

typedef struct PlaceRule {
	SessionState state;
	SessionWants wants;
	bool busy;
	bool holds;   /* the session has the descriptor */
	bool expects; /* the client may go without a breach */
} PlaceRule;

static const PlaceRule places[PLACES] = {
	[AT_START] = { SESSION_SEND_FEATURES, SESSION_WANTS_WRITE,
		       .expects = true },
	[IN_FEATURES_OUT] = { SESSION_SEND_FEATURES, SESSION_WANTS_WRITE,
			      .expects = true },
	[AT_FEATURES] = { SESSION_RECV_FEATURES, SESSION_WANTS_READ,
			  .expects = true },
	[IN_FEATURES] = { SESSION_RECV_FEATURES, SESSION_WANTS_READ,
			  .expects = true },
	[AT_CDB] = { SESSION_RECV_CDB, SESSION_WANTS_READ, .expects = true },
	[WITH_DESCRIPTOR] = { SESSION_RECV_CDB, SESSION_WANTS_READ, true,
			      true },
	[IN_CDB] = { SESSION_RECV_CDB, SESSION_WANTS_READ, true, true },
	[IN_CDB_WITHOUT_DESCRIPTOR] = { SESSION_RECV_CDB, SESSION_WANTS_READ,
					true },
	[AT_PARAMETERS] = { SESSION_RECV_PARAMETERS, SESSION_WANTS_READ, true,
			    true },
	[IN_PARAMETERS] = { SESSION_RECV_PARAMETERS, SESSION_WANTS_READ, true,
			    true },
	[AT_EXECUTION] = { SESSION_EXECUTING, SESSION_WANTS_ANSWER, true,
			   true },
	[IN_EXECUTION] = { SESSION_EXECUTING, SESSION_WANTS_ANSWER, true },
	[AT_REPLY] = { SESSION_SEND_REPLY, SESSION_WANTS_WRITE, true },
	[IN_REPLY] = { SESSION_SEND_REPLY, SESSION_WANTS_WRITE, true },
	[AFTER_REPLY] = { SESSION_RECV_CDB, SESSION_WANTS_READ,
			  .expects = true },
};

/* Who has the descriptor at this place, if the client gave it away at all. */
static void release(Place place, int fd, Command *command)
{
	if (command)
		command_free(command);
	else if (place < WITH_DESCRIPTOR || place == IN_CDB_WITHOUT_DESCRIPTOR)
		close(fd);
}

static void test_places(void)
{
	for (Place place = 0; place < PLACES; place++) {
		const PlaceRule *rule = &places[place];
		int witness, fd = descriptor_new(&witness);
		Session session;
		Command *command = visit(&session, place, fd);

		g_test_message("place %d", place);
		g_assert_cmpint(session.state, ==, rule->state);
		g_assert_cmpint(wants(&session), ==, rule->wants);
		g_assert_true(session_is_busy(&session) == rule->busy);
		g_assert_null(session_breach(&session));
		session_deinit(&session);
		release(place, fd, command);
		g_assert_true(descriptor_is_closed(witness));
		close(witness);
	}
}

static void test_eof(void)
{
	for (Place place = 0; place < PLACES; place++) {
		int witness, fd = descriptor_new(&witness);
		Session session;
		Command *command = visit(&session, place, fd);

		g_test_message("place %d", place);
		session_eof(&session);
		g_assert_cmpint(session.state, ==, SESSION_CLOSED);
		g_assert_cmpint(wants(&session), ==, SESSION_WANTS_NOTHING);
		g_assert_false(session_is_busy(&session));
		g_assert_true(!session_breach(&session) ==
			      places[place].expects);
		session_deinit(&session);
		release(place, fd, command);
		g_assert_true(descriptor_is_closed(witness));
		close(witness);
	}
}

/* Where something is to be read, and what may come along has no room. */
static void test_no_room(void)
{
	for (Place place = 0; place < PLACES; place++) {
		int witness, fd = descriptor_new(&witness);
		Session session;
		Command *command;

		if (places[place].wants != SESSION_WANTS_READ) {
			close(fd);
			close(witness);
			continue;
		}
		command = visit(&session, place, fd);
		session_no_room(&session);
		g_assert_cmpint(session.state, ==, SESSION_CLOSED);
		g_assert_nonnull(session_breach(&session));
		session_deinit(&session);
		release(place, fd, command);
		g_assert_true(descriptor_is_closed(witness));
		close(witness);
	}
}

/* What it has is its driver's to take, as ever. */
static void test_stuck(void)
{
	for (Place place = 0; place < PLACES; place++) {
		int witness, fd = descriptor_new(&witness);
		Session session;
		Command *command = visit(&session, place, fd);

		session_stuck(&session);
		g_assert_cmpint(session.state, ==, SESSION_CLOSED);
		g_assert_nonnull(strstr(session_breach(&session), "too long"));
		session_deinit(&session);
		release(place, fd, command);
		g_assert_true(descriptor_is_closed(witness));
		close(witness);
	}
}

/* The first reason counts. */
static void test_eof_after_breach(void)
{
	const char *why;
	Session session;

	session_connect(&session);
	session_descriptors_lost(&session);
	why = session_breach(&session);
	session_eof(&session);
	g_assert_true(session_breach(&session) == why);
	session_deinit(&session);
}

static void steal_descriptor(Place place, bool eof)
{
	int witness, fd = descriptor_new(&witness), stolen;
	Session session;
	Command *command = visit(&session, place, fd);

	g_test_message("place %d%s", place, eof ? " after the end" : "");
	if (eof)
		session_eof(&session);
	stolen = session_steal_descriptor(&session);
	g_assert_cmpint(stolen, ==, places[place].holds ? fd : -1);
	g_assert_cmpint(session_steal_descriptor(&session), ==, -1);
	session_deinit(&session);
	if (stolen >= 0) {
		/* The session has let go of it without closing it. */
		g_assert_false(descriptor_is_closed(witness));
		close(stolen);
	}
	release(place, fd, command);
	g_assert_true(descriptor_is_closed(witness));
	close(witness);
}

static void test_steal_descriptor(void)
{
	for (Place place = 0; place < PLACES; place++) {
		steal_descriptor(place, false);
		steal_descriptor(place, true);
	}
}

static void test_steal_descriptor_after_breach(void)
{
	int witness, fd = descriptor_new(&witness), other = fd;
	Session session;

	session_connect(&session);
	g_assert_true(session_take_descriptors(&session, &fd, 1));
	g_assert_false(session_take_descriptors(&session, &other, 1));
	assert_breach(&session, "more than one");
	g_assert_cmpint(session_steal_descriptor(&session), ==, fd);
	session_deinit(&session);
	g_assert_false(descriptor_is_closed(witness));
	close(fd);
	close(witness);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/session/places", test_places);
	g_test_add_func("/session/eof/places", test_eof);
	g_test_add_func("/session/no-room", test_no_room);
	g_test_add_func("/session/stuck", test_stuck);
	g_test_add_func("/session/eof/after-breach", test_eof_after_breach);
	g_test_add_func("/session/steal-descriptor/places",
			test_steal_descriptor);
	g_test_add_func("/session/steal-descriptor/after-breach",
			test_steal_descriptor_after_breach);
	return g_test_run();
}
