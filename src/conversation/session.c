/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states of session.h as one table: what each wants, and what to do once
 * it has it. Filling or draining an exact length is generic; a *_done()
 * function only decides and returns the next state. The hard rule: nothing
 * that a client sends is a reason to abort.
 */
#include "conversation/session.h"

#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"

typedef struct StateRule {
	const char *name;
	SessionWants wants;
	/* The run of bytes that the state fills or drains; READ and WRITE. */
	size_t (*bytes)(Session *session, uint8_t **ret_bytes);
	/* All of them have been moved; returns the next state. */
	SessionState (*done)(Session *session);
	/* The states that may follow, but for CLOSED, which always may. */
	SessionState next, or_next;
} StateRule;

static SessionState breach(Session *session, const char *why)
{
	session->breach = why;
	return SESSION_CLOSED;
}

static size_t features_bytes(Session *session, uint8_t **ret_bytes)
{
	*ret_bytes = session->buffer;
	return WIRE_FEATURES_SIZE;
}

static size_t cdb_bytes(Session *session, uint8_t **ret_bytes)
{
	*ret_bytes = session->buffer;
	return WIRE_CDB_SIZE;
}

static size_t parameter_bytes(Session *session, uint8_t **ret_bytes)
{
	*ret_bytes = session->command->data;
	return session->command->pr.length;
}

static size_t reply_bytes(Session *session, uint8_t **ret_bytes)
{
	*ret_bytes = session->command->header;
	return WIRE_REPLY_SIZE + session->command->reply.size;
}

static SessionState send_features_done(Session *session)
{
	(void)session;
	return SESSION_RECV_FEATURES;
}

static SessionState recv_features_done(Session *session)
{
	if (be32_get(session->buffer) & ~WIRE_FEATURES_SUPPORTED)
		return breach(session, "asks for a feature that was not "
				       "offered");
	return SESSION_RECV_CDB;
}

static SessionState recv_cdb_done(Session *session)
{
	ScsiPrCdb pr;

	if (!scsi_pr_cdb_get(session->buffer, &pr))
		return breach(session, "sent a command that is not PERSISTENT "
				       "RESERVE IN or OUT");
	if (pr.length > WIRE_DATA_MAX)
		return breach(session, "sent a length of more than 8192 bytes");
	if (session->fd < 0)
		return breach(session, "sent a command without a descriptor");

	session->command =
		command_renew(g_steal_pointer(&session->spare), session->buffer,
			      &pr, fd_steal(&session->fd));
	if (pr.opcode == SCSI_PERSISTENT_RESERVE_OUT && pr.length > 0)
		return SESSION_RECV_PARAMETERS;
	return SESSION_EXECUTING;
}

static SessionState recv_parameters_done(Session *session)
{
	(void)session;
	return SESSION_EXECUTING;
}

static SessionState send_reply_done(Session *session)
{
	session->spare = g_steal_pointer(&session->command);
	return SESSION_RECV_CDB;
}

static const StateRule rules[] = {
	[SESSION_SEND_FEATURES] = { "SEND_FEATURES", SESSION_WANTS_WRITE,
				    features_bytes, send_features_done,
				    SESSION_RECV_FEATURES },
	[SESSION_RECV_FEATURES] = { "RECV_FEATURES", SESSION_WANTS_READ,
				    features_bytes, recv_features_done,
				    SESSION_RECV_CDB },
	[SESSION_RECV_CDB] = { "RECV_CDB", SESSION_WANTS_READ, cdb_bytes,
			       recv_cdb_done, SESSION_RECV_PARAMETERS,
			       SESSION_EXECUTING },
	[SESSION_RECV_PARAMETERS] = { "RECV_PARAMETERS", SESSION_WANTS_READ,
				      parameter_bytes, recv_parameters_done,
				      SESSION_EXECUTING },
	[SESSION_EXECUTING] = { "EXECUTING", SESSION_WANTS_ANSWER,
				.next = SESSION_SEND_REPLY },
	[SESSION_SEND_REPLY] = { "SEND_REPLY", SESSION_WANTS_WRITE, reply_bytes,
				 send_reply_done, SESSION_RECV_CDB },
	[SESSION_CLOSED] = { "CLOSED", SESSION_WANTS_NOTHING },
};

/* Whether the session has a command where its state needs one, and none where
 * there must be none. EXECUTING has it until the driver takes it. */
static bool has_right_command(const Session *session)
{
	switch (session->state) {
	case SESSION_RECV_PARAMETERS:
	case SESSION_SEND_REPLY:
		return session->command;
	case SESSION_EXECUTING:
	case SESSION_CLOSED:
		return true;
	default:
		return !session->command;
	}
}

static void session_assert_invariants(Session *session)
{
	const StateRule *rule = &rules[session->state];
	uint8_t *bytes;

	g_assert(has_right_command(session));
	/* The memory of the last command is that of the next. */
	g_assert(!session->command || !session->spare);
	g_assert(session->fd < 0 || session->state == SESSION_RECV_CDB ||
		 session->state == SESSION_CLOSED);
	g_assert(!session->breach || session->state == SESSION_CLOSED);
	/* There is something left to move. */
	if (rule->bytes)
		g_assert(session->done < rule->bytes(session, &bytes));
}

static void enter(Session *session, SessionState state)
{
	const StateRule *rule = &rules[session->state];

	g_assert(state == SESSION_CLOSED ||
		 (state != SESSION_SEND_FEATURES &&
		  (state == rule->next || state == rule->or_next)));
	session->state = state;
	session->done = 0;
	session_assert_invariants(session);
}

void session_init(Session *session)
{
	*session = (Session) { .state = SESSION_SEND_FEATURES, .fd = -1 };
	be32_put(session->buffer, WIRE_FEATURES_SUPPORTED);
}

void session_deinit(Session *session)
{
	g_clear_pointer(&session->command, command_free);
	session_rest(session);
	fd_clear(&session->fd);
	enter(session, SESSION_CLOSED);
}

void session_rest(Session *session)
{
	g_clear_pointer(&session->spare, command_free);
}

SessionWants session_wants(Session *session, uint8_t **ret_bytes,
			   size_t *ret_size)
{
	const StateRule *rule = &rules[session->state];

	session_assert_invariants(session);
	if (rule->bytes) {
		*ret_size = rule->bytes(session, ret_bytes) - session->done;
		*ret_bytes += session->done;
	}
	return rule->wants;
}

void session_advance(Session *session, size_t size)
{
	const StateRule *rule = &rules[session->state];
	uint8_t *bytes;
	size_t whole;

	/* The descriptors of these bytes may have been a breach already. */
	if (session->state == SESSION_CLOSED)
		return;
	g_assert(rule->bytes);
	whole = rule->bytes(session, &bytes);
	g_assert(size > 0 && size <= whole - session->done);
	session->done += size;
	if (session->done == whole)
		enter(session, rule->done(session));
}

bool session_take_descriptors(Session *session, const int *fds, size_t count)
{
	/* With a feature word or a parameter list they mean nothing. */
	if (session->state != SESSION_RECV_CDB || count == 0)
		return false;
	if (count > 1 || session->fd >= 0) {
		enter(session, breach(session, "sent more than one descriptor "
					       "with a command"));
		return false;
	}
	session->fd = fds[0];
	return true;
}

void session_descriptors_lost(Session *session)
{
	if (session->state == SESSION_RECV_CDB)
		enter(session,
		      breach(session, "sent descriptors that could not be "
				      "received, as the descriptor table is "
				      "full"));
}

void session_no_room(Session *session)
{
	enter(session, breach(session, "was cut off, as too many descriptors "
				       "wait to be closed"));
}

void session_stuck(Session *session)
{
	enter(session, breach(session, "has left a request unfinished, or its "
				       "answer unread, for too long"));
}

void session_eof(Session *session)
{
	if (session->state == SESSION_CLOSED)
		return;
	if (session_is_busy(session))
		session->breach = "went away in the middle of a request";
	enter(session, SESSION_CLOSED);
}

Command *session_steal_command(Session *session)
{
	g_assert(session->state == SESSION_EXECUTING && session->command);
	return g_steal_pointer(&session->command);
}

void session_answer(Session *session, Command *command)
{
	size_t sent = command->sent;

	g_assert(session->state == SESSION_EXECUTING && !session->command);
	/* Closed by now, for the driver knows where that may block. */
	g_assert(command->fd < 0 && command->answered_us > 0);
	session->command = command;
	command_pack(command);
	enter(session, SESSION_SEND_REPLY);
	if (sent > 0)
		session_advance(session, sent);
}

int session_steal_descriptor(Session *session)
{
	if (session->fd < 0 && session->command)
		return fd_steal(&session->command->fd);
	return fd_steal(&session->fd);
}

bool session_is_busy(const Session *session)
{
	switch (session->state) {
	case SESSION_RECV_CDB:
		return session->done > 0 || session->fd >= 0;
	case SESSION_RECV_PARAMETERS:
	case SESSION_EXECUTING:
	case SESSION_SEND_REPLY:
		return true;
	default:
		return false;
	}
}

const char *session_state_name(SessionState state)
{
	return rules[state].name;
}

const char *session_breach(const Session *session)
{
	return session->breach;
}
