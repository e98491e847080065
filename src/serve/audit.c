/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands and clients in words. The hard rule: one record says all, so that
 * nobody has to join lines to understand what happened.
 */
#include "audit.h"

#include <glib.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/plural.h"
#include "base/thread.h"
#include "device/device.h"

#define SECOND_US ((int64_t)1000 * 1000)

#define INTERVAL_US (10 * SECOND_US)

/* Records of one client's commands in an interval, and breaches of all. */
#define COMMAND_BURST 100
#define PEER_BURST    20

/* Records of all clients' commands: a client that connects anew for each must
 * not get around its limit, and be it at the others' expense. */
#define TOTAL_BURST 2000

/* Of clients that have gone, of those that break the protocol, of all. */
static AuditLimit gone_limit, peer_limit, total_limit;

/* The text of a record and its fields, built side by side. */
typedef struct Record {
	GString *text;
	GPtrArray *fields; /* of char *, NULL at the end */
} Record;

static Record record_new(void)
{
	return (Record) { g_string_sized_new(256),
			  g_ptr_array_new_with_free_func(g_free) };
}

static void field(Record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void field(Record *record, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(record->fields, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

static void record_write(Record *record, LogLevel level)
{
	g_ptr_array_add(record->fields, NULL);
	log_record(level, (const char *const *)record->fields->pdata, "%s",
		   record->text->str);
	g_string_free(record->text, TRUE);
	g_ptr_array_unref(record->fields);
}

static void add_peer(Record *record, const Peer *peer)
{
	g_string_append_printf(record->text, "client pid %d (%s) uid %u",
			       (int)peer->pid, peer->comm, peer->uid);
	field(record, "PR_PEER_PID=%d", (int)peer->pid);
	field(record, "PR_PEER_UID=%u", peer->uid);
}

static void add_device(Record *record, const Command *command)
{
	char name[DEVICE_NAME_SIZE] = "";

	if (command->major == 0 && command->minor == 0) {
		g_string_append(record->text, " on no device");
		return;
	}
	device_name("/sys", command->block, command->major, command->minor,
		    name);
	g_string_append_printf(record->text, " on %s (%u:%u)",
			       *name ? name : "a device that is gone",
			       command->major, command->minor);
	field(record, "PR_DEVICE=%u:%u", command->major, command->minor);
	field(record, "PR_DEVICE_NAME=%s", name);
}

static bool has_type(uint8_t service_action)
{
	switch (service_action) {
	case SCSI_PR_OUT_RESERVE:
	case SCSI_PR_OUT_RELEASE:
	case SCSI_PR_OUT_PREEMPT:
	case SCSI_PR_OUT_PREEMPT_AND_ABORT:
		return true;
	default:
		return false;
	}
}

static void add_parameters(Record *record, const Command *command)
{
	const ScsiPrCdb *pr = &command->pr;
	ScsiPrParameters parameters;

	if (has_type(pr->service_action)) {
		g_string_append_printf(record->text, ", type %s (%u)",
				       scsi_pr_type_name(pr->type), pr->type);
		field(record, "PR_TYPE=%u", pr->type);
		field(record, "PR_TYPE_NAME=%s", scsi_pr_type_name(pr->type));
	}
	if (!scsi_pr_parameters_get(pr->service_action, command->data,
				    pr->length, &parameters))
		return;
	g_string_append_printf(
		record->text,
		", key 0x%" PRIx64 ", service action key 0x%" PRIx64,
		parameters.reservation_key, parameters.service_action_key);
	field(record, "PR_KEY=0x%" PRIx64, parameters.reservation_key);
	field(record, "PR_SERVICE_ACTION_KEY=0x%" PRIx64,
	      parameters.service_action_key);
}

static void add_request(Record *record, const Command *command)
{
	const ScsiPrCdb *pr = &command->pr;
	const char *action =
		scsi_service_action_name(pr->opcode, pr->service_action);

	add_peer(record, &command->peer);
	g_string_append_printf(record->text, ": %s %s (0x%02x)",
			       scsi_opcode_name(pr->opcode), action,
			       pr->service_action);
	field(record, "PR_COMMAND=%s", scsi_opcode_name(pr->opcode));
	field(record, "PR_SERVICE_ACTION=%s", action);
	add_device(record, command);
	if (pr->opcode == SCSI_PERSISTENT_RESERVE_OUT)
		add_parameters(record, command);
}

static void add_sense(Record *record, const Command *command)
{
	ScsiSense sense;

	if (!scsi_sense_get(command->reply.sense, WIRE_SENSE_SIZE, &sense))
		return;
	g_string_append_printf(record->text, " %s %X/%02X/%02X %s",
			       scsi_sense_key_name(sense.key), sense.key,
			       sense.asc, sense.ascq,
			       scsi_sense_code_text(sense.asc, sense.ascq));
	field(record, "PR_SENSE=%X/%02X/%02X", sense.key, sense.asc,
	      sense.ascq);
	field(record, "PR_SENSE_TEXT=%s",
	      scsi_sense_code_text(sense.asc, sense.ascq));
}

static void add_answer(Record *record, const Command *command)
{
	uint8_t status = (uint8_t)command->reply.status;
	int64_t duration = command->answered_us - command->arrival_us;

	g_assert(command->answered_us > 0 && duration >= 0);
	g_string_append_printf(record->text, ": %s (0x%02x)",
			       scsi_status_name(status), status);
	field(record, "PR_STATUS=%s", scsi_status_name(status));
	add_sense(record, command);
	if (command->failure) {
		g_string_append_printf(record->text, ", by the helper: %s",
				       command->reason);
		field(record, "PR_REASON=%s", command->reason);
	}
	g_string_append_printf(record->text, ", %" PRId64 ".%03" PRId64 " ms",
			       duration / 1000, duration % 1000);
	field(record, "PR_DURATION_USEC=%" PRId64, duration);
}

/* An own answer is news; so is whatever changes a reservation or fails for
 * the sake of one. */
static LogLevel audit_level_of(const Command *command)
{
	if (command->failure)
		return LOG_LEVEL_WARNING;
	if (command->pr.opcode == SCSI_PERSISTENT_RESERVE_OUT ||
	    command->reply.status == SCSI_RESERVATION_CONFLICT)
		return LOG_LEVEL_INFO;
	return LOG_LEVEL_DEBUG;
}

static void tell_suppressed(AuditLimit *limit)
{
	unsigned int suppressed = rate_limit_take_suppressed(&limit->rate);

	if (suppressed > 0)
		log_message(LOG_LEVEL_WARNING,
			    "%u %s suppressed, as a client caused too many",
			    suppressed,
			    plural(suppressed, "message was", "messages were"));
}

/* The flood may be over: the count must not wait for the next message. */
static gboolean end_interval(gpointer data)
{
	AuditLimit *limit = data;

	limit->timer = 0;
	tell_suppressed(limit);
	return G_SOURCE_REMOVE;
}

/* Who asks for debug messages wants all of them. */
static bool audit_admit(AuditLimit *limit, unsigned int burst, LogLevel level)
{
	g_assert(thread_is_main());
	limit->rate.interval_us = INTERVAL_US;
	limit->rate.burst = burst;
	if (!log_wants(level))
		return false;
	if (level == LOG_LEVEL_DEBUG)
		return true;
	if (rate_limit_admit(&limit->rate, g_get_monotonic_time()))
		return true;
	if (!limit->timer)
		limit->timer =
			g_timeout_add(INTERVAL_US / 1000, end_interval, limit);
	return false;
}

void audit_limit_clear(AuditLimit *limit)
{
	g_assert(thread_is_main());
	g_clear_handle_id(&limit->timer, g_source_remove);
	tell_suppressed(limit);
}

bool audit_wants(const Command *command)
{
	return log_wants(audit_level_of(command));
}

void audit_command(const Command *command, AuditLimit *limit)
{
	LogLevel level = audit_level_of(command);
	Record record;

	if (!audit_admit(limit ? limit : &gone_limit, COMMAND_BURST, level) ||
	    !audit_admit(&total_limit, TOTAL_BURST, level))
		return;
	record = record_new();
	add_request(&record, command);
	add_answer(&record, command);
	record_write(&record, level);
}

void audit_late(const Command *command)
{
	Record record;

	if (!audit_admit(&gone_limit, COMMAND_BURST, LOG_LEVEL_WARNING))
		return;
	record = record_new();
	add_request(&record, command);
	add_answer(&record, command);
	g_string_append(record.text, "; too late, nobody waits for it");
	record_write(&record, LOG_LEVEL_WARNING);
}

void audit_peer(const Peer *peer, const char *what)
{
	Record record;

	if (!audit_admit(&peer_limit, PEER_BURST, LOG_LEVEL_WARNING))
		return;
	record = record_new();
	add_peer(&record, peer);
	g_string_append_printf(record.text, " %s", what);
	record_write(&record, LOG_LEVEL_WARNING);
}
