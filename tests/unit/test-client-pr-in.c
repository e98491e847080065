/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers to PERSISTENT RESERVE IN: honest ones, ones that the allocation
 * length cut off, and lies. Everything is decoded from a heap block of exactly
 * the size that arrived, so that a sanitizer sees a byte too far.
 */
#include "client/pr-in.h"

#include <string.h>

#include "client/json-report.h"
#include "client/number.h"
#include "client/print.h"
#include "scsi/scsi.h"

typedef struct Fixture {
	uint8_t *bytes;
	PrInAnswer answer;
} Fixture;

/* `hex` may have blanks in it. */
static Fixture fixture(uint8_t action, const char *hex, size_t allocation)
{
	g_auto(GStrv) words = g_strsplit(hex, " ", -1);
	g_autofree char *digits = g_strjoinv("", words);
	size_t size = strlen(digits) / 2;
	Fixture made = { .bytes = g_malloc(size) };

	g_assert_true(number_parse_bytes(digits, made.bytes, size));
	made.answer = (PrInAnswer) { action, made.bytes, size, allocation };
	return made;
}

static void check_problem(uint8_t action, const char *hex, size_t allocation,
			  const char *expected)
{
	Fixture made = fixture(action, hex, allocation);
	g_autofree char *problem = pr_in_problem(&made.answer);

	if (!expected)
		g_assert_cmpstr(problem, ==, NULL);
	else if (!problem || !strstr(problem, expected))
		g_error("'%s' lacks '%s'", problem, expected);
	g_free(made.bytes);
}

static void check_continues(uint8_t action, const char *hex, size_t allocation,
			    uint64_t expected)
{
	Fixture made = fixture(action, hex, allocation);
	uint64_t total = 0;

	g_assert_cmpint(pr_in_continues(&made.answer, &total), ==,
			expected != 0);
	g_assert_cmpuint(total, ==, expected);
	g_free(made.bytes);
}

#define KEYS_2   "00000003 00000010 000000000012abcd ffffffffffffffff"
#define RESERVED "00000003 00000010 000000000000abcd 00000000 00 15 0000"
#define SAS_ID   "060000005000c50005b32001000000000000000000000000"
#define STATUS_1            \
	"00000009 00000030" \
	" 0000000000000abc 00000000 01 15 00000000 0001 00000018 " SAS_ID

static void test_keys(void)
{
	Fixture made = fixture(SCSI_PR_IN_READ_KEYS, KEYS_2, 8192);
	PrInList list;

	g_assert_true(pr_in_list_get(&made.answer, &list));
	g_assert_cmpuint(list.generation, ==, 3);
	g_assert_cmpuint(list.announced, ==, 16);
	g_assert_cmpuint(pr_in_keys_count(&list), ==, 2);
	g_assert_cmphex(pr_in_key(&list, 0), ==, 0x12abcd);
	g_assert_cmphex(pr_in_key(&list, 1), ==, UINT64_MAX);
	g_free(made.bytes);
	check_problem(SCSI_PR_IN_READ_KEYS, KEYS_2, 8192, NULL);
	/* Padding behind the list means nothing. */
	check_problem(SCSI_PR_IN_READ_KEYS, KEYS_2 "0000", 8192, NULL);
	check_problem(SCSI_PR_IN_READ_KEYS, "0000000100000000", 8192, NULL);
}

static void test_keys_padding(void)
{
	Fixture made = fixture(SCSI_PR_IN_READ_KEYS,
			       "00000001 00000008 0000000000000001"
			       " 0000000000000002",
			       8192);
	PrInList list;

	g_assert_true(pr_in_list_get(&made.answer, &list));
	g_assert_cmpuint(pr_in_keys_count(&list), ==, 1);
	g_free(made.bytes);
}

static void test_cut_off(void)
{
	static const char cut[] = "00000003 00000058 0000000000000001"
				  " 0000000000000002 0000000000000003"
				  " 0000000000000004";

	check_continues(SCSI_PR_IN_READ_KEYS, cut, 40, 96);
	check_continues(SCSI_PR_IN_READ_KEYS, "00000003", 4, 8);
	check_continues(SCSI_PR_IN_READ_KEYS, "", 0, 8);
	check_continues(SCSI_PR_IN_READ_KEYS, "00000003 ffffffff", 8,
			0x100000007u);
	check_continues(SCSI_PR_IN_REPORT_CAPABILITIES, "00080000", 4, 8);
	check_problem(SCSI_PR_IN_READ_KEYS, cut, 40, NULL);
	check_problem(SCSI_PR_IN_READ_KEYS, "00000003", 4, NULL);
	check_problem(SCSI_PR_IN_READ_KEYS, "", 0, NULL);
	check_problem(SCSI_PR_IN_READ_FULL_STATUS, STATUS_1, 56, NULL);
	check_problem(SCSI_PR_IN_READ_FULL_STATUS,
		      "00000009 00000060"
		      " 0000000000000abc 00000000 01 15 00000000 0001 00000048",
		      32, NULL);
	check_problem(SCSI_PR_IN_REPORT_CAPABILITIES, "00080000", 4, NULL);
	/* All there: nothing continues. */
	check_continues(SCSI_PR_IN_READ_KEYS, KEYS_2, 24, 0);
	check_continues(SCSI_PR_IN_READ_KEYS, KEYS_2, 8192, 0);
}

static void test_missing(void)
{
	check_problem(SCSI_PR_IN_READ_KEYS, "", 8192, "have 8 bytes, but 0");
	check_problem(SCSI_PR_IN_READ_KEYS, "000000", 8192, "but 3 arrived");
	check_problem(SCSI_PR_IN_READ_KEYS, "00000003 00000058", 8192,
		      "have 96 bytes, but 8 arrived");
	check_problem(SCSI_PR_IN_READ_KEYS, "00000003 00000058", 40,
		      "have 96 bytes, but 8 arrived");
	check_problem(SCSI_PR_IN_READ_KEYS, "00000003 fffffff8", 8192,
		      "have 4294967296 bytes");
	check_problem(SCSI_PR_IN_READ_RESERVATION,
		      "00000003 00000010 000000000000abcd", 8192,
		      "but 16 arrived");
	check_problem(SCSI_PR_IN_READ_FULL_STATUS, "00000003 00000018 0000",
		      8192, "but 10 arrived");
	check_problem(SCSI_PR_IN_REPORT_CAPABILITIES, "", 8192,
		      "but 0 arrived");
	check_problem(SCSI_PR_IN_REPORT_CAPABILITIES, "0008", 8192,
		      "but 2 arrived");
	check_continues(SCSI_PR_IN_READ_KEYS, "00000003 00000058", 40, 0);
}

static void test_lies(void)
{
	check_problem(SCSI_PR_IN_READ_KEYS,
		      "00000003 00000009 0000000000000001 00", 8192,
		      "is 9, which is not a multiple of 8");
	check_problem(SCSI_PR_IN_READ_RESERVATION, "00000003 00000001 00", 8192,
		      "the reservation is 1, not 16");
	check_problem(SCSI_PR_IN_READ_RESERVATION, "00000003 ffffffff", 8192,
		      "is 4294967295, not 16");
	check_problem(SCSI_PR_IN_REPORT_CAPABILITIES, "0006157f0000", 8192,
		      "is 6, not 8");
	check_problem(
		SCSI_PR_IN_READ_FULL_STATUS,
		"00000009 00000018"
		" 0000000000000abc 00000000 01 15 00000000 0001 00000001",
		8192,
		"registration 1 extends beyond the end of the list: its length is 1");
	check_problem(SCSI_PR_IN_READ_FULL_STATUS,
		      "00000009 00000018"
		      " 0000000000000abc 00000000 01 15 00000000 0001 ffffffff",
		      8192, "its length is 4294967295");
	check_problem(SCSI_PR_IN_READ_FULL_STATUS,
		      "00000009 0000001a 0000000000000abc 00000000 01 15"
		      " 00000000 0001 00000000 0000",
		      8192, "too short for a registration: 2 of 24 bytes");
}

static void check_reservation(const char *hex, bool held, uint64_t key,
			      uint8_t scope, uint8_t type)
{
	Fixture made = fixture(SCSI_PR_IN_READ_RESERVATION, hex, 8192);
	PrInReservation reservation = { 0 };
	PrInList list;

	g_assert_true(pr_in_list_get(&made.answer, &list));
	g_assert_cmpint(pr_in_reservation_get(&list, &reservation), ==, held);
	g_assert_cmphex(reservation.key, ==, key);
	g_assert_cmphex(reservation.scope, ==, scope);
	g_assert_cmphex(reservation.type, ==, type);
	g_free(made.bytes);
}

static void test_reservation(void)
{
	check_reservation(RESERVED, true, 0xabcd, 1, 5);
	check_reservation("00000003 00000000", false, 0, 0, 0);
	/* The bytes are there, and the device says that they are not its. */
	check_reservation("00000003 00000000 000000000000abcd 00000000 00 15",
			  false, 0, 0, 0);
	check_reservation("00000003 00000010 000000000000abcd 00000000 00",
			  false, 0, 0, 0);
}

static void test_capabilities(void)
{
	Fixture made = fixture(SCSI_PR_IN_REPORT_CAPABILITIES,
			       "0008 95 d1 ea01 0000", 8192);
	PrInCapabilities caps;

	g_assert_true(pr_in_capabilities_get(&made.answer, &caps));
	g_assert_true(caps.rlr_c && caps.crh && caps.atp_c && caps.ptpl_c);
	g_assert_false(caps.sip_c);
	g_assert_true(caps.tmv && caps.ptpl_a);
	g_assert_cmpuint(caps.allow_commands, ==, 5);
	g_assert_cmphex(caps.type_mask, ==, 0xea01);
	made.answer.size = 7;
	g_assert_false(pr_in_capabilities_get(&made.answer, &caps));
	g_free(made.bytes);
}

static void test_full_status(void)
{
	Fixture made = fixture(SCSI_PR_IN_READ_FULL_STATUS, STATUS_1, 8192);
	PrInDescriptor descriptor;
	PrInList list;
	size_t offset = 0;

	g_assert_true(pr_in_list_get(&made.answer, &list));
	g_assert_true(pr_in_descriptor_next(&list, &offset, &descriptor));
	g_assert_cmphex(descriptor.key, ==, 0xabc);
	g_assert_true(descriptor.r_holder);
	g_assert_false(descriptor.all_tg_pt);
	g_assert_cmphex(descriptor.scope, ==, 1);
	g_assert_cmphex(descriptor.type, ==, 5);
	g_assert_cmpuint(descriptor.relative_target_port, ==, 1);
	g_assert_cmpuint(descriptor.transport_id_size, ==, 24);
	g_assert_false(pr_in_descriptor_next(&list, &offset, &descriptor));
	g_assert_cmpuint(offset, ==, list.size);
	g_free(made.bytes);
}

/* Everything that ever looks at an answer. */
static void look_at(const PrInAnswer *answer)
{
	g_autofree char *problem = pr_in_problem(answer);
	g_autoptr(GString) text = g_string_new("");
	JsonWriter json;

	print_answer(text, answer);
	for (guint level = 1; level <= 3; level++)
		print_answer_hex(text, answer, level);
	json_init(&json, text);
	json_begin_object(&json, NULL);
	json_report_answer(&json, answer);
	json_end_object(&json);
	g_assert_true(!problem || *problem);
	g_assert_true(g_utf8_validate(text->str, (gssize)text->len, NULL));
}

static void look_at_copy(const PrInAnswer *answer, size_t size,
			 size_t allocation)
{
	g_autofree uint8_t *copy = g_memdup(answer->payload, size);
	PrInAnswer shorter = { answer->service_action, copy, size, allocation };

	look_at(&shorter);
}

static const struct {
	uint8_t action;
	const char *hex;
} samples[] = {
	{ SCSI_PR_IN_READ_KEYS, KEYS_2 },
	{ SCSI_PR_IN_READ_RESERVATION, RESERVED },
	{ SCSI_PR_IN_REPORT_CAPABILITIES, "00080dfff5010000" },
	{ SCSI_PR_IN_READ_FULL_STATUS, STATUS_1 },
	{ SCSI_PR_IN_READ_FULL_STATUS,
	  "00000009 00000038"
	  " 0000000000000abc 00000000 02 00 00000000 0001 00000020"
	  " 4500001c 69716e2e323030332d30312e 612c692c30783132 0000000000000000" },
};

static void test_truncated_everywhere(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
		Fixture made = fixture(samples[i].action, samples[i].hex, 8192);

		for (size_t size = 0; size <= made.answer.size; size++) {
			look_at_copy(&made.answer, size, size);
			look_at_copy(&made.answer, size, 8192);
		}
		g_free(made.bytes);
	}
}

static void test_changed_everywhere(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
		Fixture made = fixture(samples[i].action, samples[i].hex, 8192);

		for (size_t at = 0; at < made.answer.size; at++)
			for (int value = 0; value < 256; value++) {
				uint8_t saved = made.bytes[at];

				made.bytes[at] = (uint8_t)value;
				look_at(&made.answer);
				made.bytes[at] = saved;
			}
		g_free(made.bytes);
	}
}

static void test_random(void)
{
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)g_test_rand_int_range(0, 200);
		g_autofree uint8_t *bytes = g_malloc0(size);
		PrInAnswer answer = {
			(uint8_t)g_test_rand_int_range(0, 4),
			bytes,
			size,
			200,
		};

		/* Mostly zeroes, so that lengths are within reach. */
		for (size_t i = 0; i < size; i++)
			if (g_test_rand_int_range(0, 4) == 0)
				bytes[i] =
					(uint8_t)g_test_rand_int_range(0, 256);
		look_at(&answer);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/pr-in/keys", test_keys);
	g_test_add_func("/client/pr-in/padding", test_keys_padding);
	g_test_add_func("/client/pr-in/reservation", test_reservation);
	g_test_add_func("/client/pr-in/capabilities", test_capabilities);
	g_test_add_func("/client/pr-in/full-status", test_full_status);
	g_test_add_func("/client/pr-in/cut-off", test_cut_off);
	g_test_add_func("/client/pr-in/missing", test_missing);
	g_test_add_func("/client/pr-in/lies", test_lies);
	g_test_add_func("/client/pr-in/truncated", test_truncated_everywhere);
	g_test_add_func("/client/pr-in/changed", test_changed_everywhere);
	g_test_add_func("/client/pr-in/random", test_random);
	return g_test_run();
}
