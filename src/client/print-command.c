/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands and their outcome as text: what --verbose shows, and what is said
 * when a command fails.
 */
#include "print.h"

#include <string.h>

#include "hex-dump.h"
#include "scsi/scsi.h"

/* "READ KEYS" as "Read keys". */
static void append_sentence(GString *text, const char *name)
{
	g_string_append_c(text, g_ascii_toupper(name[0]));
	for (name++; *name; name++)
		g_string_append_c(text, g_ascii_tolower(*name));
}

void print_command_name(GString *text, const uint8_t *cdb)
{
	bool out = cdb[0] == SCSI_PERSISTENT_RESERVE_OUT;

	g_string_append(text, out ? "PR out (" : "PR in (");
	append_sentence(text, scsi_service_action_name(cdb[0], cdb[1] & 0x1f));
	g_string_append_c(text, ')');
}

void print_success(GString *text, const uint8_t *cdb)
{
	uint8_t action = cdb[1] & 0x1f;

	if (action == SCSI_PR_OUT_REGISTER_AND_MOVE) {
		g_string_append(text, "PR out: 'register and move' command "
				      "successful\n");
		return;
	}
	g_string_append(text, "PR out: command (");
	append_sentence(text, scsi_service_action_name(cdb[0], action));
	g_string_append(text, ") successful\n");
}

static void append_sense(GString *text, const WireReply *reply)
{
	ScsiSense sense;
	const char *code;

	if (!scsi_sense_get(reply->sense, sizeof(reply->sense), &sense)) {
		g_string_append(text, "Check condition without sense data");
		return;
	}
	append_sentence(text, scsi_sense_key_name(sense.key));
	code = scsi_sense_code_text(sense.asc, sense.ascq);
	if (*code)
		g_string_append_printf(text, ": %s", code);
	g_string_append_printf(text, " (sense %x/%02x/%02x)", sense.key,
			       sense.asc, sense.ascq);
}

void print_outcome(GString *text, const WireReply *reply)
{
	uint8_t status = (uint8_t)reply->status;

	if (status == SCSI_CHECK_CONDITION) {
		append_sense(text, reply);
		return;
	}
	if (status == SCSI_ACA_ACTIVE)
		g_string_append(text, "ACA active");
	else
		append_sentence(text, scsi_status_name(status));
	g_string_append_printf(text, " (status 0x%02x)", status);
}

const char *print_type_name(uint8_t type)
{
	static const char *const names[16] = {
		"obsolete [0]",
		"Write Exclusive",
		"obsolete [2]",
		"Exclusive Access",
		"obsolete [4]",
		"Write Exclusive, registrants only",
		"Exclusive Access, registrants only",
		"Write Exclusive, all registrants",
		"Exclusive Access, all registrants",
		"obsolete [9]",
		"obsolete [0xa]",
		"obsolete [0xb]",
		"obsolete [0xc]",
		"obsolete [0xd]",
		"obsolete [0xe]",
		"obsolete [0xf]",
	};

	return names[type & 0x0f];
}

void print_request(GString *text, const ClientRequest *request, guint level)
{
	bool out = request->cdb[0] == SCSI_PERSISTENT_RESERVE_OUT;

	g_string_append_printf(text, "    Persistent reservation %s cdb: [",
			       out ? "out" : "in");
	for (size_t i = 0; i < SCSI_PR_CDB_LENGTH; i++)
		g_string_append_printf(text, "%s%02x", i ? " " : "",
				       request->cdb[i]);
	g_string_append(text, "]\n");
	if (level < 2 || !out)
		return;
	g_string_append(text, "    Persistent reservation out parameters:\n");
	hex_dump_with_offsets(text, request->parameters->data,
			      request->parameters->len);
}

void print_escaped(GString *text, const uint8_t *bytes, size_t size)
{
	const char *p = (const char *)bytes, *end = p + size;

	while (p < end) {
		gunichar c = g_utf8_get_char_validated(p, end - p);
		bool valid = c != (gunichar)-1 && c != (gunichar)-2;

		if (valid && c != '\\' && g_unichar_isprint(c)) {
			g_string_append_unichar(text, c);
			p = g_utf8_next_char(p);
		} else {
			g_string_append_printf(text, "\\x%02x", (uint8_t)*p++);
		}
	}
}
