/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON writer and what is reported with it.
 */
#include "client/json.h"

#include <string.h>

#include "client/json-report.h"
#include "client/number.h"
#include "scsi/scsi.h"

static void check_text(const char *value, size_t size, const char *expected)
{
	g_autoptr(GString) text = g_string_new("");
	g_autofree char *all =
		g_strdup_printf("{\n  \"t\": \"%s\"\n}\n", expected);
	JsonWriter json;

	json_init(&json, text);
	json_begin_object(&json, NULL);
	json_add_text(&json, "t", value, size);
	json_end_object(&json);
	g_assert_cmpstr(text->str, ==, all);
}

static void test_strings(void)
{
	check_text("", 0, "");
	check_text("a\"b\\c/", 6, "a\\\"b\\\\c/");
	check_text("\n\t\x1b\x7f", 4, "\\u000a\\u0009\\u001b\\u007f");
	check_text("a\0b", 3, "a\\u0000b");
	check_text("\u20ac", 3, "\u20ac");
	/* Not UTF-8, cut off, overlong, a surrogate. */
	check_text("\xff", 1, "\ufffd");
	check_text("\xe2\x82", 2, "\ufffd\ufffd");
	check_text("\xc0\x80", 2, "\ufffd\ufffd");
	check_text("\xed\xa0\x80", 3, "\ufffd\ufffd\ufffd");
}

static void test_structure(void)
{
	g_autoptr(GString) text = g_string_new("");
	JsonWriter json;

	json_init(&json, text);
	json_begin_object(&json, NULL);
	json_begin_array(&json, "empty");
	json_end_array(&json);
	json_begin_array(&json, "list");
	json_add_number(&json, NULL, UINT32_MAX);
	json_add_bool(&json, NULL, false);
	json_begin_object(&json, NULL);
	json_end_object(&json);
	json_end_array(&json);
	json_add_key(&json, "key", UINT64_MAX);
	json_add_null(&json, "null");
	json_add_bytes(&json, "bytes", (const uint8_t *)"\x01\xfe", 2);
	json_add_bool(&json, "true", true);
	json_end_object(&json);
	g_assert_cmpstr(text->str, ==,
			"{\n"
			"  \"empty\": [],\n"
			"  \"list\": [\n"
			"    4294967295,\n"
			"    false,\n"
			"    {}\n"
			"  ],\n"
			"  \"key\": \"0xffffffffffffffff\",\n"
			"  \"null\": null,\n"
			"  \"bytes\": \"01fe\",\n"
			"  \"true\": true\n"
			"}\n");
}

static void check_report(uint8_t action, const char *hex, const char *expected)
{
	g_auto(GStrv) words = g_strsplit(hex, " ", -1);
	g_autofree char *digits = g_strjoinv("", words);
	size_t size = strlen(digits) / 2;
	g_autofree uint8_t *bytes = g_malloc(size + 1);
	PrInAnswer answer = { action, bytes, size, 8192 };
	g_autoptr(GString) text = g_string_new("");
	JsonWriter json;

	g_assert_true(number_parse_bytes(digits, bytes, size));
	json_init(&json, text);
	json_begin_object(&json, NULL);
	json_report_answer(&json, &answer);
	json_end_object(&json);
	g_assert_cmpstr(text->str, ==, expected);
}

static void test_keys(void)
{
	check_report(SCSI_PR_IN_READ_KEYS, "00000001 00000008 0000000000123abc",
		     "{\n"
		     "  \"generation\": 1,\n"
		     "  \"keys\": [\n"
		     "    \"0x123abc\"\n"
		     "  ],\n"
		     "  \"complete\": true\n"
		     "}\n");
	check_report(SCSI_PR_IN_READ_KEYS, "00000001 00000008",
		     "{\n"
		     "  \"generation\": 1,\n"
		     "  \"keys\": [],\n"
		     "  \"complete\": false\n"
		     "}\n");
	check_report(SCSI_PR_IN_READ_KEYS, "00",
		     "{\n"
		     "  \"complete\": false\n"
		     "}\n");
}

static void test_reservation(void)
{
	check_report(SCSI_PR_IN_READ_RESERVATION,
		     "00000003 00000010 000000000000abcd 00000000 00 05 0000",
		     "{\n"
		     "  \"generation\": 3,\n"
		     "  \"reservation\": {\n"
		     "    \"key\": \"0xabcd\",\n"
		     "    \"scope\": 0,\n"
		     "    \"type\": \"Write Exclusive - Registrants Only\",\n"
		     "    \"type_code\": 5\n"
		     "  },\n"
		     "  \"complete\": true\n"
		     "}\n");
	check_report(SCSI_PR_IN_READ_RESERVATION, "00000003 00000000",
		     "{\n"
		     "  \"generation\": 3,\n"
		     "  \"reservation\": null,\n"
		     "  \"complete\": true\n"
		     "}\n");
}

static void test_capabilities(void)
{
	check_report(SCSI_PR_IN_REPORT_CAPABILITIES, "00080dfff5010000",
		     "{\n"
		     "  \"capabilities\": {\n"
		     "    \"rlr_c\": false,\n"
		     "    \"crh\": false,\n"
		     "    \"sip_c\": true,\n"
		     "    \"atp_c\": true,\n"
		     "    \"ptpl_c\": true,\n"
		     "    \"ptpl_a\": true,\n"
		     "    \"allow_commands\": 7,\n"
		     "    \"tmv\": true,\n"
		     "    \"types\": [\n"
		     "      \"Write Exclusive - All Registrants\",\n"
		     "      \"Exclusive Access - Registrants Only\",\n"
		     "      \"Write Exclusive - Registrants Only\",\n"
		     "      \"Exclusive Access - All Registrants\"\n"
		     "    ]\n"
		     "  },\n"
		     "  \"complete\": true\n"
		     "}\n");
	check_report(SCSI_PR_IN_REPORT_CAPABILITIES, "0006",
		     "{\n"
		     "  \"capabilities\": null,\n"
		     "  \"complete\": false\n"
		     "}\n");
}

static void test_full_status(void)
{
	check_report(SCSI_PR_IN_READ_FULL_STATUS,
		     "00000009 00000050"
		     " 0000000000000abc 00000000 01 05 00000000 0001 00000018"
		     " 060000005000c50005b32001000000000000000000000000"
		     " 0000000000000def 00000000 02 05 00000000 0002 00000008"
		     " 0000000000000000",
		     "{\n"
		     "  \"generation\": 9,\n"
		     "  \"registrations\": [\n"
		     "    {\n"
		     "      \"key\": \"0xabc\",\n"
		     "      \"holder\": true,\n"
		     "      \"scope\": 0,\n"
		     "      \"type\": \"Write Exclusive - Registrants Only\",\n"
		     "      \"type_code\": 5,\n"
		     "      \"all_target_ports\": false,\n"
		     "      \"relative_target_port\": 1,\n"
		     "      \"transport_id\": {\n"
		     "        \"protocol\": \"SAS\",\n"
		     "        \"text\": \"sas,5000c50005b32001\",\n"
		     "        \"bytes\": \"060000005000c50005b32001"
		     "000000000000000000000000\"\n"
		     "      }\n"
		     "    },\n"
		     "    {\n"
		     "      \"key\": \"0xdef\",\n"
		     "      \"holder\": false,\n"
		     "      \"all_target_ports\": true,\n"
		     "      \"transport_id\": {\n"
		     "        \"protocol\": \"Fibre Channel\",\n"
		     "        \"bytes\": \"0000000000000000\"\n"
		     "      }\n"
		     "    }\n"
		     "  ],\n"
		     "  \"complete\": true\n"
		     "}\n");
}

static void test_outcome(void)
{
	static const uint8_t cdb[] = { 0x5f, 0x01 };
	WireReply reply = { .status = SCSI_CHECK_CONDITION,
			    .sense = { 0x72, 0x05, 0x20, 0x00 } };
	g_autoptr(GString) text = g_string_new("");
	JsonWriter json;

	json_init(&json, text);
	json_begin_object(&json, NULL);
	json_report_command(&json, cdb);
	json_report_outcome(&json, &reply);
	json_end_object(&json);
	g_assert_cmpstr(text->str, ==,
			"{\n"
			"  \"command\": \"PERSISTENT RESERVE OUT\",\n"
			"  \"service_action\": \"RESERVE\",\n"
			"  \"status\": \"CHECK CONDITION\",\n"
			"  \"status_code\": 2,\n"
			"  \"sense\": {\n"
			"    \"key\": \"ILLEGAL REQUEST\",\n"
			"    \"key_code\": 5,\n"
			"    \"asc\": 32,\n"
			"    \"ascq\": 0,\n"
			"    \"text\": \"INVALID COMMAND OPERATION CODE\"\n"
			"  }\n"
			"}\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/json/strings", test_strings);
	g_test_add_func("/client/json/structure", test_structure);
	g_test_add_func("/client/json-report/keys", test_keys);
	g_test_add_func("/client/json-report/reservation", test_reservation);
	g_test_add_func("/client/json-report/capabilities", test_capabilities);
	g_test_add_func("/client/json-report/full-status", test_full_status);
	g_test_add_func("/client/json-report/outcome", test_outcome);
	return g_test_run();
}
