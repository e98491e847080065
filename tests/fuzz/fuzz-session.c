/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that sends anything, in any grouping and with any descriptors, and
 * a device that answers anything. What must hold is what QEMU relies on, and
 * that no descriptor is lost or closed twice.
 *
 * The input is a series of steps; each begins with a byte that says how much
 * is moved, or what happens instead.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "conversation/session.h"
#include "fuzz.h"

enum {
	STEP_EOF = 0xff,
	STEP_LOST = 0xfe,
	STEP_SIZE = 0x3f, /* bytes, less one; 3f: as many as there can be */
	STEP_FDS = 0x03,  /* how many descriptors come along */
};

typedef struct Drive {
	Session session;
	Input input;
	uint8_t parameters[WIRE_DATA_MAX];
	size_t parameters_size;
	size_t replied; /* bytes of its reply that went out */
	uint8_t header[WIRE_REPLY_SIZE];
	ScsiPrCdb pr; /* of the request, as decoded here */
} Drive;

static int null_fd = -1, first_free;

static void set_up_once(void)
{
	if (null_fd >= 0)
		return;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	first_free = dup(null_fd);
	g_assert_true(null_fd >= 0 && first_free >= 0);
	close(first_free);
}

/* Numbers are given out lowest first: one that leaked would be missed. */
static void assert_no_descriptor_lost(void)
{
	int fd = dup(null_fd);

	g_assert_cmpint(fd, ==, first_free);
	close(fd);
}

static void close_ours(int fd)
{
	g_assert_cmpint(close(fd), ==, 0);
}

static void give_descriptors(Drive *drive, size_t count)
{
	bool belongs = drive->session.state == SESSION_RECV_CDB;
	bool has_one = drive->session.fd >= 0;
	bool taken;
	int fds[STEP_FDS];

	for (size_t i = 0; i < count; i++)
		fds[i] = dup(null_fd);
	taken = session_take_descriptors(&drive->session, fds, count);
	g_assert_true(taken == (belongs && !has_one && count == 1));
	if (belongs && count > 0 && !taken)
		g_assert_nonnull(session_breach(&drive->session));
	for (size_t i = taken; i < count; i++)
		close_ours(fds[i]);
}

static void note_parameters(Drive *drive, const uint8_t *bytes, size_t size)
{
	if (drive->session.state != SESSION_RECV_PARAMETERS)
		return;
	g_assert_cmpuint(drive->parameters_size + size, <=, WIRE_DATA_MAX);
	memcpy(drive->parameters + drive->parameters_size, bytes, size);
	drive->parameters_size += size;
}

static size_t step_size(uint8_t step, size_t most)
{
	size_t size = step & STEP_SIZE;

	return size == STEP_SIZE ? most : MIN(size + 1, most);
}

static void step_read(Drive *drive, uint8_t *bytes, size_t size)
{
	uint8_t step = input_byte(&drive->input);

	g_assert_cmpuint(size, >=, 1);
	g_assert_cmpuint(size, <=, WIRE_DATA_MAX);
	if (step == STEP_EOF) {
		session_eof(&drive->session);
		return;
	}
	if (step == STEP_LOST) {
		session_descriptors_lost(&drive->session);
		return;
	}
	size = step_size(step, size);
	give_descriptors(drive, step >> 6 & STEP_FDS);
	input_bytes(&drive->input, bytes, size);
	note_parameters(drive, bytes, size);
	session_advance(&drive->session, size);
}

/* The reply is one whole header and as much payload as it announces, which is
 * no more than was asked for. */
static void assert_reply(const Drive *drive)
{
	uint32_t status = be32_get(drive->header);
	uint32_t size = be32_get(drive->header + 4);

	g_assert_cmpuint(drive->replied, ==, WIRE_REPLY_SIZE + size);
	if (drive->pr.opcode != SCSI_PERSISTENT_RESERVE_IN ||
	    status != SCSI_GOOD)
		g_assert_cmpuint(size, ==, 0);
	else
		g_assert_cmpuint(size, <=, drive->pr.length);
	g_assert_cmpuint(size, <=, WIRE_DATA_MAX);
	if (status == SCSI_CHECK_CONDITION)
		g_assert_cmphex(drive->header[8], !=, 0);
}

static void step_write(Drive *drive, const uint8_t *bytes, size_t size)
{
	SessionState state = drive->session.state;
	uint8_t step = input_byte(&drive->input);

	g_assert_cmpuint(size, >=, 1);
	g_assert_cmpuint(size, <=, WIRE_REPLY_SIZE + WIRE_DATA_MAX);
	if (step == STEP_EOF) {
		session_eof(&drive->session);
		return;
	}
	size = step_size(step, size);
	for (size_t i = 0; i < size && state == SESSION_SEND_REPLY; i++)
		if (drive->replied + i < WIRE_REPLY_SIZE)
			drive->header[drive->replied + i] = bytes[i];
	drive->replied += size;
	session_advance(&drive->session, size);
	if (state == SESSION_SEND_REPLY &&
	    drive->session.state != SESSION_SEND_REPLY)
		assert_reply(drive);
}

static void assert_command(Drive *drive, const Command *command)
{
	g_assert_true(scsi_pr_cdb_get(command->cdb, &drive->pr));
	g_assert_cmpuint(drive->pr.length, <=, WIRE_DATA_MAX);
	g_assert_cmpint(fcntl(command->fd, F_GETFD), >=, 0);
	if (drive->pr.opcode == SCSI_PERSISTENT_RESERVE_OUT) {
		g_assert_cmpuint(drive->parameters_size, ==, drive->pr.length);
		g_assert_cmpmem(command->data, drive->pr.length,
				drive->parameters, drive->parameters_size);
	}
	drive->parameters_size = 0;
	drive->replied = 0;
}

static void answer(Input *input, Command *command)
{
	uint8_t status = input_byte(input);
	uint8_t sense[WIRE_SENSE_SIZE];
	size_t length = input_byte(input) % (WIRE_SENSE_SIZE + 1);

	if (status == 0x77) {
		command_refuse(command, FAILURE_NOT_SENT, "fuzzed");
		return;
	}
	input_bytes(input, sense, length);
	command_answer(command, status, sense, length, input_word(input));
}

/* A part of the reply may have gone out by another hand. */
static void send_directly(Drive *drive, Command *command)
{
	size_t total = command_pack(command);
	size_t sent = input_word(&drive->input);

	g_assert_cmpuint(total, <=, sizeof(command->header) + WIRE_DATA_MAX);
	command->sent = MIN(sent, total);
	memcpy(drive->header, command->header, WIRE_REPLY_SIZE);
	drive->replied = command->sent;
	if (command->sent == total)
		assert_reply(drive);
}

static void step_answer(Drive *drive)
{
	uint8_t step = input_byte(&drive->input);
	Command *command;

	if (step == STEP_EOF) {
		session_eof(&drive->session);
		return;
	}
	command = session_steal_command(&drive->session);
	assert_command(drive, command);
	if (step == STEP_LOST) {
		/* The client goes while the device has the command. */
		session_eof(&drive->session);
		command_free(command);
		return;
	}
	close_ours(fd_steal(&command->fd));
	answer(&drive->input, command);
	if (step & 1)
		send_directly(drive, command);
	session_answer(&drive->session, command);
}

static bool step(Drive *drive)
{
	uint8_t *bytes;
	size_t size;

	switch (session_wants(&drive->session, &bytes, &size)) {
	case SESSION_WANTS_READ:
		step_read(drive, bytes, size);
		return true;
	case SESSION_WANTS_WRITE:
		step_write(drive, bytes, size);
		return true;
	case SESSION_WANTS_ANSWER:
		step_answer(drive);
		return true;
	case SESSION_WANTS_NOTHING:
		break;
	}
	return false;
}

static void assert_state(const Drive *drive)
{
	const Session *session = &drive->session;

	g_assert_true(session->state <= SESSION_CLOSED);
	if (session_breach(session))
		g_assert_true(session->state == SESSION_CLOSED);
	if (session->state == SESSION_CLOSED)
		g_assert_false(session_is_busy(session));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Drive *drive = g_new0(Drive, 1);
	int left;

	set_up_once();
	drive->input = (Input) { data, size };
	session_init(&drive->session);
	while (drive->input.size > 0 && step(drive))
		assert_state(drive);
	if (size % 2) {
		left = session_steal_descriptor(&drive->session);
		if (left >= 0)
			close_ours(left);
		g_assert_cmpint(session_steal_descriptor(&drive->session), ==,
				-1);
	}
	session_deinit(&drive->session);
	assert_no_descriptor_lost();
	g_free(drive);
	return 0;
}
