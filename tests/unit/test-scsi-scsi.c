/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CDBs, parameter lists and sense data against bytes worked out by hand from
 * SPC-4, and a name for every number there is.
 */
#include "scsi/scsi.h"

#include <glib.h>
#include <string.h>

static void test_cdb_in(void)
{
	static const uint8_t cdb[SCSI_PR_CDB_LENGTH] = { 0x5e, 0xe3, 0xff, 0xff,
							 0xff, 0xff, 0xff, 0x12,
							 0x34, 0xff };
	ScsiPrCdb pr;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	g_assert_cmphex(pr.opcode, ==, SCSI_PERSISTENT_RESERVE_IN);
	g_assert_cmphex(pr.service_action, ==, SCSI_PR_IN_READ_FULL_STATUS);
	g_assert_cmpuint(pr.scope, ==, 0);
	g_assert_cmpuint(pr.type, ==, 0);
	g_assert_cmphex(pr.length, ==, 0x1234);
}

static void test_cdb_out(void)
{
	static const uint8_t cdb[SCSI_PR_CDB_LENGTH] = { 0x5f, 0xe6, 0xa8, 0xff,
							 0xff, 0x12, 0x34, 0x56,
							 0x78, 0xff };
	ScsiPrCdb pr;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	g_assert_cmphex(pr.opcode, ==, SCSI_PERSISTENT_RESERVE_OUT);
	g_assert_cmphex(pr.service_action, ==,
			SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY);
	g_assert_cmphex(pr.scope, ==, 0xa);
	g_assert_cmphex(pr.type, ==, SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS);
	g_assert_cmphex(pr.length, ==, 0x12345678);
}

static void test_cdb_other(void)
{
	uint8_t cdb[SCSI_PR_CDB_LENGTH] = { 0 };
	ScsiPrCdb pr, untouched;

	memset(&untouched, 0x5a, sizeof(untouched));
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		memcpy(&pr, &untouched, sizeof(pr));
		cdb[0] = (uint8_t)opcode;
		if (opcode == 0x5e || opcode == 0x5f) {
			g_assert_true(scsi_pr_cdb_get(cdb, &pr));
			g_assert_cmphex(pr.opcode, ==, opcode);
		} else {
			g_assert_false(scsi_pr_cdb_get(cdb, &pr));
			g_assert_cmpmem(&pr, sizeof(pr), &untouched,
					sizeof(untouched));
		}
	}
}

/* Keys 0102030405060708h and 1112131415161718h; all flag bytes clear. */
static void parameters_fill(uint8_t list[SCSI_PR_PARAMETERS_LENGTH])
{
	memset(list, 0, SCSI_PR_PARAMETERS_LENGTH);
	for (size_t i = 0; i < 8; i++) {
		list[i] = (uint8_t)(0x01 + i);
		list[8 + i] = (uint8_t)(0x11 + i);
	}
}

static void assert_flags(const ScsiPrParameters *parameters,
			 const char *expected)
{
	g_autoptr(GString) flags = g_string_new(NULL);

	g_assert_cmphex(parameters->reservation_key, ==, 0x0102030405060708);
	g_assert_cmphex(parameters->service_action_key, ==, 0x1112131415161718);
	g_string_append(flags, parameters->spec_i_pt ? "spec_i_pt " : "");
	g_string_append(flags, parameters->all_tg_pt ? "all_tg_pt " : "");
	g_string_append(flags, parameters->aptpl ? "aptpl " : "");
	g_string_append(flags, parameters->unreg ? "unreg " : "");
	g_assert_cmpstr(flags->str, ==, expected);
}

typedef struct FlagCase {
	uint8_t service_action;
	size_t byte;
	uint8_t value;
	const char *flags;
} FlagCase;

static void test_parameters(void)
{
	static const FlagCase cases[] = {
		{ SCSI_PR_OUT_REGISTER, 20, 0x00, "" },
		{ SCSI_PR_OUT_REGISTER, 20, 0x01, "aptpl " },
		{ SCSI_PR_OUT_REGISTER, 20, 0x02, "" },
		{ SCSI_PR_OUT_REGISTER, 20, 0x04, "all_tg_pt " },
		{ SCSI_PR_OUT_REGISTER, 20, 0x08, "spec_i_pt " },
		{ SCSI_PR_OUT_REGISTER, 20, 0xf0, "" },
		{ SCSI_PR_OUT_REGISTER, 17, 0xff, "" },
		{ SCSI_PR_OUT_PREEMPT, 20, 0xff, "spec_i_pt all_tg_pt aptpl " },
		{ SCSI_PR_OUT_REGISTER_AND_MOVE, 17, 0x01, "aptpl " },
		{ SCSI_PR_OUT_REGISTER_AND_MOVE, 17, 0x02, "unreg " },
		{ SCSI_PR_OUT_REGISTER_AND_MOVE, 17, 0xfc, "" },
		{ SCSI_PR_OUT_REGISTER_AND_MOVE, 20, 0xff, "" },
	};
	uint8_t list[SCSI_PR_PARAMETERS_LENGTH];
	ScsiPrParameters parameters;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		parameters_fill(list);
		list[cases[i].byte] = cases[i].value;
		g_assert_true(scsi_pr_parameters_get(cases[i].service_action,
						     list, sizeof(list),
						     &parameters));
		assert_flags(&parameters, cases[i].flags);
	}
}

/* Each length in a buffer of just that size: a sanitizer sees a byte beyond. */
static void test_parameters_short(void)
{
	ScsiPrParameters parameters, untouched;

	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&parameters, &untouched, sizeof(parameters));
	for (size_t length = 0; length < SCSI_PR_PARAMETERS_LENGTH; length++) {
		g_autofree uint8_t *list = g_malloc0(length);

		for (uint8_t action = 0; action < 0x20; action++)
			g_assert_false(scsi_pr_parameters_get(
				action, list, length, &parameters));
	}
	g_assert_cmpmem(&parameters, sizeof(parameters), &untouched,
			sizeof(untouched));
}

static void test_reservation(void)
{
	uint8_t payload[SCSI_PR_RESERVATION_LENGTH] = {
		[3] = 9, [7] = 16, [8] = 0xab, [15] = 0xcd, [21] = 0x15,
	};
	ScsiPrReservation reservation = { .type = 9 };

	for (size_t size = 0; size < sizeof(payload); size++)
		g_assert_false(
			scsi_pr_reservation_get(payload, size, &reservation));
	g_assert_cmpuint(reservation.type, ==, 9);
	g_assert_true(scsi_pr_reservation_get(payload, sizeof(payload),
					      &reservation));
	g_assert_true(reservation.held);
	g_assert_cmphex(reservation.key, ==, 0xab000000000000cd);
	g_assert_cmpuint(reservation.scope, ==, 1);
	g_assert_cmpuint(reservation.type, ==, 5);
	payload[7] = 0;
	g_assert_true(scsi_pr_reservation_get(payload, 8, &reservation));
	g_assert_false(reservation.held);
}

static void test_sense_put(void)
{
	static const uint8_t expected[20] = { 0x70, 0, 0x05, 0, 0, 0,    0,
					      10,   0, 0,    0, 0, 0x20, 0x01,
					      0,    0, 0,    0, 0, 0 };
	uint8_t bytes[24];

	memset(bytes, 0x5a, sizeof(bytes));
	scsi_sense_put(bytes, sizeof(expected),
		       (ScsiSense) { SCSI_SENSE_ILLEGAL_REQUEST, 0x20, 0x01 });
	g_assert_cmpmem(bytes, sizeof(expected), expected, sizeof(expected));
	for (size_t i = sizeof(expected); i < sizeof(bytes); i++)
		g_assert_cmphex(bytes[i], ==, 0x5a);
}

typedef struct SenseCase {
	uint8_t bytes[18];
	size_t size;
	bool valid;
	ScsiSense sense;
} SenseCase;

static const SenseCase sense_cases[] = {
	/* Fixed: current, deferred, with VALID, with other flags. */
	{ { 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 3 },
	  18,
	  true,
	  { 6, 0x2a, 3 } },
	{ { 0x71, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 4 },
	  18,
	  true,
	  { 6, 0x2a, 4 } },
	{ { 0xf0, 9, 0xe5, 9, 9, 9, 9, 10, 9, 9, 9, 9, 0x24, 1 },
	  18,
	  true,
	  { 5, 0x24, 1 } },
	/* ADDITIONAL SENSE LENGTH ends before the codes. */
	{ { 0x70, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x2a, 3 },
	  18,
	  true,
	  { 2, 0, 0 } },
	{ { 0x70, 0, 2, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0x2a, 3 },
	  18,
	  true,
	  { 2, 0, 0 } },
	{ { 0x70, 0, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0x2a, 3 },
	  18,
	  true,
	  { 2, 0x2a, 0 } },
	{ { 0x70, 0, 2, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0x2a, 3 },
	  18,
	  true,
	  { 2, 0x2a, 3 } },
	/* The bytes end before the codes. */
	{ { 0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 3 },
	  13,
	  true,
	  { 2, 0x2a, 0 } },
	{ { 0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 3 },
	  12,
	  true,
	  { 2, 0, 0 } },
	{ { 0x70, 0, 2, 0 }, 4, true, { 2, 0, 0 } },
	/* Descriptor. */
	{ { 0x72, 0x0b, 0x2e, 0x02 }, 8, true, { 0xb, 0x2e, 2 } },
	{ { 0x73, 0xf5, 0x20, 0x00 }, 4, true, { 5, 0x20, 0 } },
	/* None of these. */
	{ { 0x70, 0, 2 }, 3, false },
	{ { 0x72, 5, 0x20 }, 3, false },
	{ { 0 }, 0, false },
	{ { 0 }, 18, false },
	{ { 0x6f, 0, 5 }, 18, false },
	{ { 0x74, 5, 0x20 }, 18, false },
	{ { 0x7f, 5, 0x20 }, 18, false },
	{ { 0xff, 5, 0x20 }, 18, false },
};

static void test_sense_get(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sense_cases); i++) {
		const SenseCase *this = &sense_cases[i];
		g_autofree uint8_t *bytes = g_memdup(this->bytes, this->size);
		ScsiSense sense = { 0x5a, 0x5a, 0x5a };
		ScsiSense expected = this->valid ? this->sense : sense;

		g_test_message("case %zu", i);
		g_assert_true(scsi_sense_get(bytes, this->size, &sense) ==
			      this->valid);
		g_assert_cmpmem(&sense, sizeof(sense), &expected,
				sizeof(expected));
	}
}

static void test_sense_round_trip(void)
{
	uint8_t bytes[SCSI_SENSE_FIXED_LENGTH];
	ScsiSense sense;

	for (unsigned int i = 0; i < 256; i++) {
		scsi_sense_put(bytes, sizeof(bytes),
			       (ScsiSense) { i & 0xf, (uint8_t)i,
					     (uint8_t)(255 - i) });
		g_assert_true(scsi_sense_get(bytes, sizeof(bytes), &sense));
		g_assert_cmphex(sense.key, ==, i & 0xf);
		g_assert_cmphex(sense.asc, ==, i);
		g_assert_cmphex(sense.ascq, ==, 255 - i);
	}
}

static void assert_name(const char *name)
{
	g_assert_nonnull(name);
	g_assert_cmpstr(name, !=, "");
}

static void test_names_total(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint8_t n = (uint8_t)i;

		assert_name(scsi_opcode_name(n));
		assert_name(scsi_service_action_name(0x5e, n));
		assert_name(scsi_service_action_name(0x5f, n));
		assert_name(scsi_service_action_name(n, n));
		assert_name(scsi_pr_type_name(n));
		assert_name(scsi_status_name(n));
		assert_name(scsi_sense_key_name(n));
		for (unsigned int ascq = 0; ascq < 256; ascq++)
			g_assert_nonnull(
				scsi_sense_code_text(n, (uint8_t)ascq));
	}
}

static void test_names(void)
{
	g_assert_cmpstr(scsi_opcode_name(0x5e), ==, "PERSISTENT RESERVE IN");
	g_assert_cmpstr(scsi_opcode_name(0x5f), ==, "PERSISTENT RESERVE OUT");
	g_assert_cmpstr(scsi_opcode_name(0x12), ==, "unknown");
	g_assert_cmpstr(scsi_service_action_name(0x5e, 1), ==,
			"READ RESERVATION");
	g_assert_cmpstr(scsi_service_action_name(0x5f, 1), ==, "RESERVE");
	g_assert_cmpstr(scsi_service_action_name(0x5e, 4), ==, "reserved");
	g_assert_cmpstr(scsi_service_action_name(0x5f, 7), ==,
			"REGISTER AND MOVE");
	g_assert_cmpstr(scsi_service_action_name(0x5f, 9), ==, "reserved");
	g_assert_cmpstr(scsi_pr_type_name(1), ==, "Write Exclusive");
	g_assert_cmpstr(scsi_pr_type_name(2), ==, "reserved");
	g_assert_cmpstr(scsi_pr_type_name(8), ==,
			"Exclusive Access - All Registrants");
	g_assert_cmpstr(scsi_status_name(0x18), ==, "RESERVATION CONFLICT");
	g_assert_cmpstr(scsi_status_name(0x01), ==, "unknown");
	g_assert_cmpstr(scsi_sense_key_name(0xb), ==, "ABORTED COMMAND");
	g_assert_cmpstr(scsi_sense_key_name(0x10), ==, "unknown");
	g_assert_cmpstr(scsi_sense_code_text(0x2a, 0x03), ==,
			"RESERVATIONS PREEMPTED");
	g_assert_cmpstr(scsi_sense_code_text(0xff, 0xff), ==, "");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/scsi/cdb/in", test_cdb_in);
	g_test_add_func("/scsi/cdb/out", test_cdb_out);
	g_test_add_func("/scsi/cdb/other", test_cdb_other);
	g_test_add_func("/scsi/parameters/fields", test_parameters);
	g_test_add_func("/scsi/parameters/short", test_parameters_short);
	g_test_add_func("/scsi/reservation", test_reservation);
	g_test_add_func("/scsi/sense/put", test_sense_put);
	g_test_add_func("/scsi/sense/get", test_sense_get);
	g_test_add_func("/scsi/sense/round-trip", test_sense_round_trip);
	g_test_add_func("/scsi/names/total", test_names_total);
	g_test_add_func("/scsi/names/known", test_names);
	return g_test_run();
}
