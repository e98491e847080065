/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands, outcomes and answers as JSON. Keys are strings: they have 64 bits,
 * and most readers of JSON keep 53 of them.
 */
#include "json-report.h"

#include "scsi/scsi.h"
#include "transport-id.h"

void json_report_command(JsonWriter *json, const uint8_t *cdb)
{
	json_add_string(json, "command", scsi_opcode_name(cdb[0]));
	json_add_string(json, "service_action",
			scsi_service_action_name(cdb[0], cdb[1] & 0x1f));
}

static void report_sense(JsonWriter *json, const WireReply *reply)
{
	ScsiSense sense;

	if (!scsi_sense_get(reply->sense, sizeof(reply->sense), &sense))
		return;
	json_begin_object(json, "sense");
	json_add_string(json, "key", scsi_sense_key_name(sense.key));
	json_add_number(json, "key_code", sense.key);
	json_add_number(json, "asc", sense.asc);
	json_add_number(json, "ascq", sense.ascq);
	json_add_string(json, "text",
			scsi_sense_code_text(sense.asc, sense.ascq));
	json_end_object(json);
}

void json_report_outcome(JsonWriter *json, const WireReply *reply)
{
	json_add_string(json, "status",
			scsi_status_name((uint8_t)reply->status));
	json_add_number(json, "status_code", reply->status);
	if (reply->status == SCSI_CHECK_CONDITION)
		report_sense(json, reply);
}

static void report_keys(JsonWriter *json, const PrInList *list)
{
	json_begin_array(json, "keys");
	for (size_t i = 0; i < pr_in_keys_count(list); i++)
		json_add_key(json, NULL, pr_in_key(list, i));
	json_end_array(json);
}

static void report_scope_and_type(JsonWriter *json, uint8_t scope, uint8_t type)
{
	json_add_number(json, "scope", scope);
	json_add_string(json, "type", scsi_pr_type_name(type));
	json_add_number(json, "type_code", type);
}

static void report_reservation(JsonWriter *json, const PrInList *list)
{
	PrInReservation reservation;

	if (!pr_in_reservation_get(list, &reservation)) {
		json_add_null(json, "reservation");
		return;
	}
	json_begin_object(json, "reservation");
	json_add_key(json, "key", reservation.key);
	report_scope_and_type(json, reservation.scope, reservation.type);
	json_end_object(json);
}

static void report_transport_id(JsonWriter *json,
				const PrInDescriptor *descriptor)
{
	const uint8_t *bytes = descriptor->transport_id;
	size_t size = descriptor->transport_id_size;
	g_autoptr(GString) text = g_string_new("");
	TransportId id;

	if (size == 0)
		return;
	json_begin_object(json, "transport_id");
	json_add_string(json, "protocol",
			transport_id_protocol_name(bytes[0] & 0x0f));
	if (transport_id_get(bytes, size, &id)) {
		transport_id_append_text(text, &id);
		json_add_text(json, "text", text->str, text->len);
	}
	json_add_bytes(json, "bytes", bytes, size);
	json_end_object(json);
}

static void report_descriptor(JsonWriter *json,
			      const PrInDescriptor *descriptor)
{
	json_begin_object(json, NULL);
	json_add_key(json, "key", descriptor->key);
	json_add_bool(json, "holder", descriptor->r_holder);
	if (descriptor->r_holder)
		report_scope_and_type(json, descriptor->scope,
				      descriptor->type);
	json_add_bool(json, "all_target_ports", descriptor->all_tg_pt);
	if (!descriptor->all_tg_pt)
		json_add_number(json, "relative_target_port",
				descriptor->relative_target_port);
	report_transport_id(json, descriptor);
	json_end_object(json);
}

static void report_full_status(JsonWriter *json, const PrInList *list)
{
	PrInDescriptor descriptor;
	size_t offset = 0;

	json_begin_array(json, "registrations");
	while (pr_in_descriptor_next(list, &offset, &descriptor))
		report_descriptor(json, &descriptor);
	json_end_array(json);
}

static void report_types(JsonWriter *json, uint16_t mask)
{
	json_begin_array(json, "types");
	for (size_t i = 0; i < PR_IN_MASK_BITS; i++)
		if (mask & pr_in_mask_bits[i].bit)
			json_add_string(
				json, NULL,
				scsi_pr_type_name(pr_in_mask_bits[i].type));
	json_end_array(json);
}

static void report_capabilities(JsonWriter *json, const PrInAnswer *answer)
{
	PrInCapabilities caps;

	if (!pr_in_capabilities_get(answer, &caps)) {
		json_add_null(json, "capabilities");
		return;
	}
	json_begin_object(json, "capabilities");
	json_add_bool(json, "rlr_c", caps.rlr_c);
	json_add_bool(json, "crh", caps.crh);
	json_add_bool(json, "sip_c", caps.sip_c);
	json_add_bool(json, "atp_c", caps.atp_c);
	json_add_bool(json, "ptpl_c", caps.ptpl_c);
	json_add_bool(json, "ptpl_a", caps.ptpl_a);
	json_add_number(json, "allow_commands", caps.allow_commands);
	json_add_bool(json, "tmv", caps.tmv);
	if (caps.tmv)
		report_types(json, caps.type_mask);
	json_end_object(json);
}

static void report_list(JsonWriter *json, uint8_t service_action,
			const PrInList *list)
{
	json_add_number(json, "generation", list->generation);
	switch (service_action) {
	case SCSI_PR_IN_READ_KEYS:
		report_keys(json, list);
		break;
	case SCSI_PR_IN_READ_RESERVATION:
		report_reservation(json, list);
		break;
	default:
		report_full_status(json, list);
		break;
	}
}

void json_report_answer(JsonWriter *json, const PrInAnswer *answer)
{
	g_autofree char *problem = pr_in_problem(answer);
	PrInList list;
	uint64_t total;

	if (answer->service_action == SCSI_PR_IN_REPORT_CAPABILITIES)
		report_capabilities(json, answer);
	else if (pr_in_list_get(answer, &list))
		report_list(json, answer->service_action, &list);
	json_add_bool(json, "complete",
		      !problem && !pr_in_continues(answer, &total));
}
