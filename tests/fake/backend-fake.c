/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A back end for tests, linked in place of the real ones: the "device" is a
 * memfd (a regular file without a name) whose first bytes script the answer,
 * and to whose end each executed command is appended. So the whole daemon runs
 * without root and without a device.
 *
 *   delay=MS status=0xHH host=0xHH transferred=N resid=N sense=HEX
 *   payload=HEX readonly=1
 *
 * are words of the first line, all optional; delay is how long the device
 * hangs, readonly=1 leaves out the records. A record is "executed CDB-HEX
 * PARAMETERS-HEX|-\n".
 */
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/backend.h"
#include "device/sg-io.h"

#define SCRIPT_MAX (3 * WIRE_DATA_MAX)

static bool fake_claims(const struct statx *status, uint64_t *ret_queue_key)
{
	if (!S_ISREG(status->stx_mode) || status->stx_nlink != 0)
		return false;
	*ret_queue_key = status->stx_ino;
	return true;
}

/* Bytes of a word's hexadecimal value; what is no hexadecimal ends it. */
static size_t parse_hex(const char *text, uint8_t *ret_bytes, size_t size)
{
	size_t n;

	for (n = 0; n < size && g_ascii_isxdigit(text[2 * n]) &&
		    g_ascii_isxdigit(text[2 * n + 1]);
	     n++)
		ret_bytes[n] =
			(uint8_t)(g_ascii_xdigit_value(text[2 * n]) << 4 |
				  g_ascii_xdigit_value(text[2 * n + 1]));
	return n;
}

static const char *word(const char *script, const char *name)
{
	const char *found = strstr(script, name);

	return found ? found + strlen(name) : NULL;
}

static unsigned long number(const char *script, const char *name,
			    unsigned long fallback)
{
	const char *text = word(script, name);

	return text ? strtoul(text, NULL, 0) : fallback;
}

static void append_hex(GString *text, const uint8_t *bytes, size_t size)
{
	if (size == 0)
		g_string_append_c(text, '-');
	for (size_t i = 0; i < size; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
}

static void record(const Command *command)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	bool out = command->pr.opcode == SCSI_PERSISTENT_RESERVE_OUT;
	g_autoptr(GString) text = g_string_new("executed ");
	off_t end;

	append_hex(text, command->cdb, WIRE_CDB_SIZE);
	g_string_append_c(text, ' ');
	append_hex(text, command->data, out ? command->pr.length : 0);
	g_string_append_c(text, '\n');
	/* Several threads may execute for one device. */
	pthread_mutex_lock(&lock);
	end = lseek(command->fd, 0, SEEK_END);
	if (pwrite(command->fd, text->str, text->len, end) !=
	    (ssize_t)text->len)
		abort();
	pthread_mutex_unlock(&lock);
}

static void fake_execute(Command *command, int64_t deadline_us)
{
	g_autofree char *script = g_malloc0(SCRIPT_MAX);
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
	bool in = command->pr.opcode == SCSI_PERSISTENT_RESERVE_IN;
	sg_io_hdr_t io = { .dxfer_len = in ? WIRE_DATA_MAX : 0, .sbp = sense };
	size_t payload = 0;

	(void)deadline_us;
	if (pread(command->fd, script, SCRIPT_MAX - 1, 0) < 0)
		abort();
	script[strcspn(script, "\n")] = '\0';
	if (number(script, "readonly=", 0) == 0)
		record(command);
	g_usleep(1000 * number(script, "delay=", 0));
	if (in && word(script, "payload="))
		payload = parse_hex(word(script, "payload="), command->data,
				    WIRE_DATA_MAX);
	if (word(script, "sense="))
		io.sb_len_wr = (unsigned char)parse_hex(word(script, "sense="),
							sense, WIRE_SENSE_SIZE);
	io.status = (unsigned char)number(script, "status=", 0);
	io.host_status = (unsigned short)number(script, "host=", 0);
	io.resid = (int)number(script, "resid=",
			       io.dxfer_len - number(script, "transferred=",
						     (unsigned long)payload));
	sg_io_answer(command, &io);
}

const Backend backend_raw = {
	.name = "fake",
	.threads = 4,
	.claims = fake_claims,
	.execute = fake_execute,
};

/* There are no maps among the fake devices. */
static bool claims_nothing(const struct statx *status, uint64_t *ret_queue_key)
{
	(void)status;
	(void)ret_queue_key;
	return false;
}

const Backend backend_multipath = {
	.name = "none",
	.claims = claims_nothing,
};
