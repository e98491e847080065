/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ends of a session: the client, whose bytes arrive as the test wants, and
 * the device. Descriptors are real ones, so that a lost one shows.
 */
#ifndef SESSION_FIXTURE_H
#define SESSION_FIXTURE_H

#include "conversation/session.h"

#include "base/bytes.h"
#include "testing.h"

#define OUT_LENGTH 24

/* What a client sends, and how it arrives. */
typedef struct Stream {
	const uint8_t *bytes;
	size_t size, position;
	size_t most; /* bytes that arrive at once */
	size_t cut;  /* no arrival crosses this position */

	/* Descriptors that come with some byte. */
	struct {
		size_t position;
		int fd;
	} descriptors[4];
	size_t count;
} Stream;

static inline Stream stream_of(const uint8_t *bytes, size_t size)
{
	return (Stream) {
		.bytes = bytes, .size = size, .most = SIZE_MAX, .cut = SIZE_MAX
	};
}

/* Returns what tells whether the descriptor is still open somewhere. */
static inline int stream_attach(Stream *stream, size_t position)
{
	int witness;

	stream->descriptors[stream->count].position = position;
	stream->descriptors[stream->count].fd = descriptor_new(&witness);
	stream->count++;
	return witness;
}

static inline void deliver_descriptors(Stream *stream, Session *session,
				       size_t size)
{
	for (size_t i = 0; i < stream->count; i++) {
		size_t at = stream->descriptors[i].position;
		int *fd = &stream->descriptors[i].fd;

		if (at < stream->position || at >= stream->position + size)
			continue;
		if (!session_take_descriptors(session, fd, 1))
			close(*fd);
		*fd = -1;
	}
}

/* One recvmsg(). */
static inline void stream_deliver(Stream *stream, Session *session)
{
	uint8_t *bytes;
	size_t size;

	g_assert_cmpint(session_wants(session, &bytes, &size), ==,
			SESSION_WANTS_READ);
	g_assert_cmpuint(size, >, 0);
	size = MIN(size, MIN(stream->most, stream->size - stream->position));
	g_assert_cmpuint(size, >, 0);
	if (stream->position < stream->cut)
		size = MIN(size, stream->cut - stream->position);
	deliver_descriptors(stream, session, size);
	memcpy(bytes, stream->bytes + stream->position, size);
	stream->position += size;
	session_advance(session, size);
}

static inline SessionWants wants(Session *session)
{
	uint8_t *bytes;
	size_t size;

	return session_wants(session, &bytes, &size);
}

/* Until the session wants no more, or nothing more comes. */
static inline void stream_run(Stream *stream, Session *session)
{
	while (wants(session) == SESSION_WANTS_READ &&
	       stream->position < stream->size)
		stream_deliver(stream, session);
}

/* Takes what the session sends, at most so many bytes at once. */
static inline size_t drain(Session *session, uint8_t *ret_bytes,
			   size_t capacity, size_t most)
{
	size_t total = 0, size;
	uint8_t *bytes;

	while (session_wants(session, &bytes, &size) == SESSION_WANTS_WRITE) {
		size = MIN(size, most);
		g_assert_cmpuint(size, >, 0);
		g_assert_cmpuint(total + size, <=, capacity);
		memcpy(ret_bytes + total, bytes, size);
		total += size;
		session_advance(session, size);
	}
	return total;
}

static inline void feed(Session *session, const uint8_t *bytes, size_t size)
{
	Stream stream = stream_of(bytes, size);

	stream_run(&stream, session);
	g_assert_cmpuint(stream.position, ==, size);
}

static inline void shake_hands(Session *session)
{
	static const uint8_t none[4] = { 0 };
	uint8_t features[4] = { 0xff, 0xff, 0xff, 0xff };

	g_assert_cmpuint(drain(session, features, 4, 4), ==, 4);
	g_assert_cmphex(be32_get(features), ==, 0);
	feed(session, none, sizeof(none));
	g_assert_cmpint(session->state, ==, SESSION_RECV_CDB);
}

static inline void cdb_in(uint8_t cdb[WIRE_CDB_SIZE], uint16_t length)
{
	memset(cdb, 0, WIRE_CDB_SIZE);
	cdb[0] = SCSI_PERSISTENT_RESERVE_IN;
	be16_put(cdb + 7, length);
}

static inline void cdb_out(uint8_t cdb[WIRE_CDB_SIZE], uint32_t length)
{
	memset(cdb, 0, WIRE_CDB_SIZE);
	cdb[0] = SCSI_PERSISTENT_RESERVE_OUT;
	be32_put(cdb + 5, length);
}

/* A session that waits for a request, and one whose request has come. */
static inline void session_connect(Session *session)
{
	session_init(session);
	shake_hands(session);
}

static inline int session_request(Session *session, const uint8_t *cdb)
{
	int witness, fd = descriptor_new(&witness);

	g_assert_true(session_take_descriptors(session, &fd, 1));
	feed(session, cdb, WIRE_CDB_SIZE);
	return witness;
}

/* Executes as a device would: answers an IN with bytes 0, 1, 2, ... */
static inline void execute(Session *session)
{
	Command *command = session_steal_command(session);

	for (size_t i = 0; i < WIRE_DATA_MAX; i++)
		if (command->pr.opcode == SCSI_PERSISTENT_RESERVE_IN)
			command->data[i] = (uint8_t)i;
	fd_clear(&command->fd);
	command_answer(command, SCSI_GOOD, NULL, 0, WIRE_DATA_MAX);
	session_answer(session, command);
}

static inline void assert_good_reply(Session *session, size_t payload,
				     size_t most)
{
	static uint8_t reply[WIRE_REPLY_SIZE + WIRE_DATA_MAX];
	size_t size = drain(session, reply, sizeof(reply), most);

	g_assert_cmpuint(size, ==, WIRE_REPLY_SIZE + payload);
	g_assert_cmphex(be32_get(reply), ==, SCSI_GOOD);
	g_assert_cmpuint(be32_get(reply + 4), ==, payload);
	for (size_t i = 8; i < WIRE_REPLY_SIZE; i++)
		g_assert_cmphex(reply[i], ==, 0);
	for (size_t i = 0; i < payload; i++)
		g_assert_cmphex(reply[WIRE_REPLY_SIZE + i], ==, i & 0xff);
}

static inline void assert_breach(Session *session, const char *word)
{
	g_assert_cmpint(session->state, ==, SESSION_CLOSED);
	g_assert_cmpint(wants(session), ==, SESSION_WANTS_NOTHING);
	g_assert_nonnull(session_breach(session));
	g_assert_nonnull(strstr(session_breach(session), word));
	g_assert_false(session_is_busy(session));
}

#endif
