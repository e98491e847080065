/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation with one client as a pure state machine: bytes and
 * descriptors go in, bytes and one command at a time come out. It does no I/O
 * and knows no thread; whoever drives it moves the bytes that
 * session_wants() names and reports with session_advance().
 *
 *   SEND_FEATURES   our feature word goes out. Next: RECV_FEATURES.
 *   RECV_FEATURES   the client's feature word comes in. A bit that we did not
 *                   offer is a breach. Next: RECV_CDB.
 *   RECV_CDB        16 bytes come in, and with any of them one descriptor;
 *                   this is where an idle client stays for days. Next:
 *                   RECV_PARAMETERS, EXECUTING, or CLOSED on a breach.
 *   RECV_PARAMETERS the parameter list of an OUT comes in, straight into the
 *                   command. Next: EXECUTING.
 *   EXECUTING       the driver has the command, or is about to take it with
 *                   session_steal_command(). Nothing is read, so a request
 *                   that was sent early waits in the kernel. Left only by
 *                   session_answer(). Next: SEND_REPLY.
 *   SEND_REPLY      header and payload go out. Next: RECV_CDB.
 *   CLOSED          for good; session_breach() says why, or NULL where the
 *                   client just went.
 *
 * Used by one thread at a time.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/command.h"
#include "scsi/wire.h"

typedef enum SessionState {
	SESSION_SEND_FEATURES,
	SESSION_RECV_FEATURES,
	SESSION_RECV_CDB,
	SESSION_RECV_PARAMETERS,
	SESSION_EXECUTING,
	SESSION_SEND_REPLY,
	SESSION_CLOSED,
} SessionState;

typedef enum SessionWants {
	SESSION_WANTS_READ,    /* bytes from the client */
	SESSION_WANTS_WRITE,   /* bytes to the client */
	SESSION_WANTS_ANSWER,  /* session_steal_command(), session_answer() */
	SESSION_WANTS_NOTHING, /* closed */
} SessionWants;

typedef struct Session {
	SessionState state;
	size_t done; /* bytes moved so far in this state */
	int fd;      /* the descriptor of the request that comes in, or -1 */
	uint8_t buffer[WIRE_CDB_SIZE]; /* feature words and CDB */
	Command *command;              /* owned; NULL while it executes */
	Command *spare;                /* owned; memory for the next one */
	const char *breach;
} Session;

void session_init(Session *session);

/* Frees what it owns, descriptors included: see session_steal_descriptor()
 * for those whose close() may block. */
void session_deinit(Session *session);

/* What has to happen next. For READ and WRITE, exactly the missing bytes:
 * *ret_bytes points into the session (or its command) and stays valid until
 * the next call that changes it. Reading more would take what belongs to the
 * next state. */
SessionWants session_wants(Session *session, uint8_t **ret_bytes,
			   size_t *ret_size);

/* `size` of the bytes that session_wants() named have been moved. */
void session_advance(Session *session, size_t size);

/* The next request may be long in coming: frees what was kept for it. */
void session_rest(Session *session);

/* The next bytes to be reported came with descriptors. True: the session
 * takes fds[0], the one of the request. False: it takes none, either because
 * none belongs here (they are ignored) or because it is a breach (CLOSED).
 * The caller keeps, and must dispose of, what is not taken. */
bool session_take_descriptors(Session *session, const int *fds, size_t count);

/* The kernel dropped descriptors because the descriptor table was full. */
void session_descriptors_lost(Session *session);

/* Nothing may be read, as descriptors might come along and the table has no
 * room for them. */
void session_no_room(Session *session);

/* The client has begun a request, or not read its answer, and that is all for
 * too long. */
void session_stuck(Session *session);

/* The client closed its end, or the socket failed: a breach where a request is
 * under way. */
void session_eof(Session *session);

/* The complete command, for execution; once per EXECUTING. The caller owns it.
 */
Command *session_steal_command(Session *session);

/* Takes the answered command; command->sent bytes of its reply have gone out
 * already. */
void session_answer(Session *session, Command *command);

/* The descriptor that a request which will never be complete has left, or -1.
 * The caller owns it. */
int session_steal_descriptor(Session *session);

/* True where a request is under way: bytes or a descriptor of it have come,
 * or its reply is not out yet. */
bool session_is_busy(const Session *session);

const char *session_state_name(SessionState state);

/* Why the session was closed on the client: a static sentence, or NULL. */
const char *session_breach(const Session *session);

#endif
