/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TransportIDs in both directions. The bytes are those that sg_persist 0.67
 * sends for the same text, and of SPC-4 7.6.4 where it knows no such form.
 */
#include "client/transport-id.h"

#include <string.h>

#include "client/exit-status.h"
#include "client/number.h"
#include "client/transport-list.h"

typedef struct Pair {
	const char *text;
	const char *hex; /* up to the zeroes that pad it */
	size_t size;
} Pair;

static const Pair pairs[] = {
	{ "fcp,10000000c9f3a571", "000000000000000010000000c9f3a571", 24 },
	{ "spi,7,3", "0100000700000003", 24 },
	{ "sbp,0011223344556677", "03000000000000000011223344556677", 24 },
	{ "srp,000102030405060708090a0b0c0d0e0f",
	  "0400000000000000000102030405060708090a0b0c0d0e0f", 24 },
	{ "iqn.2003-01.a", "0500001469716e2e323030332d30312e61", 24 },
	{ "iqn.2003-01.a,i,0x12",
	  "4500001869716e2e323030332d30312e612c692c30783132", 28 },
	{ "naa.52004567BA64678D",
	  "050000186e61612e35323030343536374241363436373844", 28 },
	{ "sas,5000c50005b32001", "060000005000c50005b32001", 24 },
	{ "sop,1234", "0a001234", 24 },
};

static GByteArray *parse(const char *text, const char **ret_reason)
{
	GByteArray *bytes = g_byte_array_new();

	*ret_reason = NULL;
	if (!transport_id_parse(text, bytes, ret_reason)) {
		g_assert_nonnull(*ret_reason);
		g_assert_cmpuint(bytes->len, ==, 0);
	}
	return bytes;
}

static void check_bytes(const char *text, const char *hex, size_t size)
{
	const char *reason;
	g_autoptr(GByteArray) bytes = parse(text, &reason);
	uint8_t expected[TRANSPORT_ID_MAX] = { 0 };

	g_assert_null(reason);
	g_assert_true(number_parse_bytes(hex, expected, strlen(hex) / 2));
	g_assert_cmpmem(bytes->data, bytes->len, expected, size);
}

static void test_parse(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
		check_bytes(pairs[i].text, pairs[i].hex, pairs[i].size);
}

static void test_parse_variants(void)
{
	check_bytes("SAS,5000C50005B32001", "060000005000c50005b32001", 24);
	check_bytes("sas,0x5000c50005b32001", "060000005000c50005b32001", 24);
	check_bytes("SPI,7,3", "0100000700000003", 24);
	check_bytes("sop,0xffff", "0a00ffff", 24);
	check_bytes("6,0,0,0,50,0,c5,0,5,b3,20,1", "060000005000c50005b32001",
		    24);
	check_bytes("6 0 0 0 1", "0600000001", 24);
	check_bytes("6,\t0x0, 0  0 1", "0600000001", 24);
}

static void test_text(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		const char *reason;
		g_autoptr(GByteArray) bytes = parse(pairs[i].text, &reason);
		g_autoptr(GString) text = g_string_new("");
		TransportId id;

		g_assert_true(transport_id_get(bytes->data, bytes->len, &id));
		transport_id_append_text(text, &id);
		g_assert_cmpstr(text->str, ==, pairs[i].text);
	}
}

static void test_parse_refused(void)
{
	static const char *const texts[] = {
		"",
		" ",
		",",
		"sas,",
		"sas,5000c50005b3200",
		"sas,5000c50005b320011",
		"sas,5000c50005b3200g",
		"sas,-000c50005b32001",
		"fcp,10000000c9f3a57",
		"srp,0001020304050607",
		"spi,7",
		"spi,7,",
		"spi,7,3,1",
		"spi,65536,1",
		"spi,-1,1",
		"sop,10000",
		"sop,",
		"iqn.2003-01.a,i,0x",
		"iqn.2003-01.a,i,0x1234567890abc",
		"iqn.2003-01.a,i,0x1g",
		"iqn.2003-01.a,x",
		"6,0,100",
		"6,0,-1",
		"6;0",
		"nonsense",
		"usb,1",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		const char *reason;
		g_autoptr(GByteArray) bytes = parse(texts[i], &reason);

		g_assert_nonnull(reason);
		(void)bytes;
	}
}

static void test_parse_lengths(void)
{
	g_autoptr(GString) text = g_string_new("iqn.");
	const char *reason;
	GByteArray *bytes;

	while (text->len < 223)
		g_string_append_c(text, 'a');
	bytes = parse(text->str, &reason);
	g_assert_null(reason);
	g_assert_cmpuint(bytes->len, ==, 4 + 224);
	g_byte_array_unref(bytes);

	g_string_append_c(text, 'a');
	bytes = parse(text->str, &reason);
	g_assert_nonnull(reason);
	g_byte_array_unref(bytes);

	g_string_assign(text, "0");
	for (int i = 1; i < TRANSPORT_ID_MAX; i++)
		g_string_append(text, ",1");
	bytes = parse(text->str, &reason);
	g_assert_null(reason);
	g_assert_cmpuint(bytes->len, ==, TRANSPORT_ID_MAX);
	g_byte_array_unref(bytes);

	g_string_append(text, ",1");
	bytes = parse(text->str, &reason);
	g_assert_nonnull(reason);
	g_byte_array_unref(bytes);
}

/* Copies to the heap, where a sanitizer sees each byte too far. */
static bool get(const void *bytes, size_t size)
{
	g_autofree uint8_t *copy = g_memdup(bytes, size);
	TransportId id;

	return transport_id_get(copy, size, &id);
}

static void test_get_short(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		const char *reason;
		g_autoptr(GByteArray) bytes = parse(pairs[i].text, &reason);

		for (guint size = 0; size < bytes->len; size++)
			g_assert_false(get(bytes->data, size));
		g_assert_true(get(bytes->data, bytes->len));
	}
}

static void test_get_lies(void)
{
	uint8_t bytes[TRANSPORT_ID_SIZE] = { TRANSPORT_ISCSI, 0, 0xff, 0xff,
					     'i' };
	TransportId id;

	/* An iSCSI name longer than what is there, empty, or without NUL. */
	g_assert_false(get(bytes, sizeof(bytes)));
	bytes[2] = bytes[3] = 0;
	g_assert_false(get(bytes, sizeof(bytes)));
	memset(bytes + 4, 'i', sizeof(bytes) - 4);
	bytes[3] = sizeof(bytes) - 4;
	g_assert_true(transport_id_get(bytes, sizeof(bytes), &id));
	g_assert_cmpuint(id.name_size, ==, sizeof(bytes) - 4);
	bytes[4] = 0;
	g_assert_false(get(bytes, sizeof(bytes)));

	/* Formats that the standard does not have. */
	bytes[4] = 'i';
	bytes[0] = TRANSPORT_ISCSI | 2 << 6;
	g_assert_false(get(bytes, sizeof(bytes)));
	bytes[0] = TRANSPORT_SAS | 1 << 6;
	g_assert_false(get(bytes, sizeof(bytes)));
}

static void test_get_unknown(void)
{
	static const uint8_t protocols[] = {
		TRANSPORT_SSA, TRANSPORT_ADT, TRANSPORT_ATA,  TRANSPORT_UAS,
		0xc,           0xd,           TRANSPORT_PCIE, TRANSPORT_NONE,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(protocols); i++) {
		uint8_t bytes[TRANSPORT_ID_SIZE] = { protocols[i] };

		g_assert_false(get(bytes, sizeof(bytes)));
		g_assert_nonnull(transport_id_protocol_name(protocols[i]));
	}
}

static void test_lines(void)
{
	static const char text[] =
		"# a comment\n"
		"\n"
		"1,0,0,7,0,0,0,1   # bytes\n"
		"\tsas,500605b00006f261 \r\n"
		"   iqn.5886.com.acme.a  # no newline behind this";
	TransportList list;
	g_autoptr(GError) error = NULL;

	transport_list_init(&list);
	g_assert_true(transport_list_add_lines(&list, text, "here", &error));
	g_assert_cmpuint(list.count, ==, 3);
	g_assert_cmpuint(list.bytes->len, ==, 24 + 24 + 24);
	g_assert_cmphex(list.bytes->data[0], ==, TRANSPORT_SPI);
	g_assert_cmphex(list.bytes->data[24], ==, TRANSPORT_SAS);
	g_assert_cmphex(list.bytes->data[48], ==, TRANSPORT_ISCSI);

	g_assert_false(transport_list_add_lines(&list,
						"sas,5000c50005b32001\n"
						"sas,1\n",
						"here", &error));
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX);
	g_assert_nonnull(strstr(error->message, "here, line 2"));
	transport_list_deinit(&list);
}

static void test_list_files(void)
{
	TransportList list;
	g_autoptr(GError) error = NULL;

	transport_list_init(&list);
	g_assert_true(
		transport_list_add(&list, "sas,5000c50005b32001", &error));
	g_assert_true(transport_list_add(&list, "file=/dev/null", &error));
	g_assert_cmpuint(list.count, ==, 1);

	g_assert_false(transport_list_add(&list, "file=/dev/zero", &error));
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_FILE);
	g_clear_error(&error);
	g_assert_false(transport_list_add(&list, "file=/nowhere/x", &error));
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_FILE);
	g_clear_error(&error);
	g_assert_false(transport_list_add(&list, "file=/", &error));
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_FILE);
	g_clear_error(&error);
	g_assert_false(transport_list_add(&list, "sas", &error));
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX);
	transport_list_deinit(&list);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/transport-id/parse", test_parse);
	g_test_add_func("/client/transport-id/variants", test_parse_variants);
	g_test_add_func("/client/transport-id/refused", test_parse_refused);
	g_test_add_func("/client/transport-id/lengths", test_parse_lengths);
	g_test_add_func("/client/transport-id/text", test_text);
	g_test_add_func("/client/transport-id/short", test_get_short);
	g_test_add_func("/client/transport-id/lies", test_get_lies);
	g_test_add_func("/client/transport-id/unknown", test_get_unknown);
	g_test_add_func("/client/transport-list/lines", test_lines);
	g_test_add_func("/client/transport-list/files", test_list_files);
	return g_test_run();
}
