/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device may answer to PERSISTENT RESERVE IN, through everything that
 * the client does with it: decoding, text, JSON, and TransportIDs there and
 * back.
 */
#include "client/json-report.h"
#include "client/pr-in.h"
#include "client/print-transport.h"
#include "client/print.h"
#include "client/transport-id.h"
#include "client/transport-list.h"
#include "fuzz.h"
#include "scsi/scsi.h"

/* Nothing that could steer a terminal. */
static void assert_printable(const GString *text)
{
	const char *end = text->str + text->len;

	g_assert_true(g_utf8_validate(text->str, (gssize)text->len, NULL));
	for (const char *p = text->str; p < end; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		g_assert_true(c == '\n' || !g_unichar_iscntrl(c));
	}
}

static void decode_lists(const PrInAnswer *answer)
{
	PrInReservation reservation;
	PrInDescriptor descriptor;
	size_t offset = 0;
	PrInList list;

	if (!pr_in_list_get(answer, &list))
		return;
	g_assert_cmpuint(list.size, <=, answer->size - PR_IN_HEADER_SIZE);
	g_assert_cmpuint(list.size, <=, list.announced);
	for (size_t i = 0; i < pr_in_keys_count(&list); i++)
		pr_in_key(&list, i);
	if (pr_in_reservation_get(&list, &reservation))
		g_assert_cmphex(reservation.type, <=, 0xf);
	while (pr_in_descriptor_next(&list, &offset, &descriptor)) {
		g_assert_cmpuint(offset, <=, list.size);
		g_assert_true(descriptor.transport_id +
				      descriptor.transport_id_size ==
			      list.bytes + offset);
	}
}

static void decode_rest(const PrInAnswer *answer)
{
	g_autofree char *problem = pr_in_problem(answer);
	PrInCapabilities capabilities;
	uint64_t total;

	if (problem)
		g_assert_true(g_utf8_validate(problem, -1, NULL));
	if (pr_in_capabilities_get(answer, &capabilities))
		g_assert_cmphex(capabilities.allow_commands, <=, 7);
	if (pr_in_continues(answer, &total))
		g_assert_cmpuint(total, >, answer->allocation_length);
}

static void print_all(const PrInAnswer *answer)
{
	g_autoptr(GString) text = g_string_new(NULL);
	JsonWriter json;

	print_answer(text, answer);
	for (guint level = 1; level <= 3; level++)
		print_answer_hex(text, answer, level);
	if (answer->size > 0)
		print_transport_id(text, answer->payload, answer->size);
	print_escaped(text, answer->payload, answer->size);
	assert_printable(text);

	g_string_truncate(text, 0);
	json_init(&json, text);
	json_begin_object(&json, NULL);
	json_report_answer(&json, answer);
	json_add_text(&json, "text", answer->payload, answer->size);
	json_end_object(&json);
	g_assert_cmpuint(json.depth, ==, 0);
	assert_printable(text);
}

/* What is printed can be typed, and is the same port then. */
static void there_and_back(const uint8_t *bytes, size_t size)
{
	g_autoptr(GByteArray) parsed = g_byte_array_new();
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GString) again = g_string_new(NULL);
	const char *reason = NULL;
	TransportId id;

	if (!transport_id_get(bytes, size, &id))
		return;
	transport_id_append_text(text, &id);
	if (!transport_id_parse(text->str, parsed, &reason)) {
		/* An iSCSI name may hold anything. */
		g_assert_cmphex(id.protocol, ==, TRANSPORT_ISCSI);
		g_assert_nonnull(reason);
		return;
	}
	if (id.protocol == TRANSPORT_ISCSI &&
	    !g_str_has_prefix(text->str, "iqn."))
		return;
	g_assert_true(transport_id_get(parsed->data, parsed->len, &id));
	transport_id_append_text(again, &id);
	g_assert_cmpstr(again->str, ==, text->str);
}

static void parse_text(const uint8_t *bytes, size_t size)
{
	g_autofree char *text = g_strndup((const char *)bytes, size);
	g_autoptr(GByteArray) parsed = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	const char *reason = NULL;
	TransportList list;

	if (transport_id_parse(text, parsed, &reason)) {
		g_assert_cmpuint(parsed->len, >=, TRANSPORT_ID_SIZE);
		g_assert_cmpuint(parsed->len, <=, TRANSPORT_ID_MAX);
	} else {
		g_assert_nonnull(reason);
		g_assert_cmpuint(parsed->len, ==, 0);
	}
	transport_list_init(&list);
	g_assert_true(transport_list_add_lines(&list, text, "input", &error) ==
		      !error);
	transport_list_deinit(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint8_t service_action = input_byte(&input) & 0x3;
	size_t allocation_length = input_word(&input);
	g_autofree uint8_t *payload = exact_copy(input.data, input.size);
	PrInAnswer answer = {
		.service_action = service_action,
		.payload = payload,
		.size = MIN(input.size, allocation_length),
		.allocation_length = allocation_length,
	};

	if (!payload)
		return 0;
	decode_lists(&answer);
	decode_rest(&answer);
	print_all(&answer);
	there_and_back(payload, input.size);
	parse_text(payload, input.size);
	return 0;
}
