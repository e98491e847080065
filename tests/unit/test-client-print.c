/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text output, against what sg_persist 0.67 printed for the same bytes.
 */
#include "client/print.h"

#include <string.h>

#include "client/number.h"
#include "scsi/scsi.h"

/* `hex` may have blanks in it. The string is the caller's. */
static PrInAnswer answer_of(uint8_t action, const char *hex, size_t allocation)
{
	g_auto(GStrv) words = g_strsplit(hex, " ", -1);
	g_autofree char *digits = g_strjoinv("", words);
	size_t size = strlen(digits) / 2;
	uint8_t *bytes = g_malloc(size + 1);

	g_assert_true(number_parse_bytes(digits, bytes, size));
	return (PrInAnswer) { action, bytes, size, allocation };
}

static void check(uint8_t action, const char *hex, size_t allocation,
		  const char *expected)
{
	PrInAnswer answer = answer_of(action, hex, allocation);
	g_autoptr(GString) text = g_string_new("");

	print_answer(text, &answer);
	g_assert_cmpstr(text->str, ==, expected);
	g_free((gpointer)answer.payload);
}

static void check_hex(uint8_t action, const char *hex, guint level,
		      const char *expected)
{
	PrInAnswer answer = answer_of(action, hex, 8192);
	g_autoptr(GString) text = g_string_new("");

	print_answer_hex(text, &answer, level);
	g_assert_cmpstr(text->str, ==, expected);
	g_free((gpointer)answer.payload);
}

static void test_keys(void)
{
	check(SCSI_PR_IN_READ_KEYS, "00000001 00000000", 8192,
	      "  PR generation=0x1, there are NO registered reservation "
	      "keys\n");
	check(SCSI_PR_IN_READ_KEYS, "00000001 00000008 0000000000123abc", 8192,
	      "  PR generation=0x1, 1 registered reservation key follows:\n"
	      "    0x123abc\n");
	check(SCSI_PR_IN_READ_KEYS,
	      "00000003 00000010 000000000012abcd ffffffffffffffff", 8192,
	      "  PR generation=0x3, 2 registered reservation keys follow:\n"
	      "    0x12abcd\n"
	      "    0xffffffffffffffff\n");
}

static void test_keys_cut_off(void)
{
	check(SCSI_PR_IN_READ_KEYS,
	      "00000003 00000058 0000000000000001 00000000", 20,
	      "  PR generation=0x3, 11 registered reservation keys follow:\n"
	      "    0x1\n"
	      "    list continues: 20 of 96 bytes shown; use "
	      "--alloc-length=60\n");
	check(SCSI_PR_IN_READ_KEYS, "00000003 00002000 0000000000000001", 16,
	      "  PR generation=0x3, 1024 registered reservation keys follow:\n"
	      "    0x1\n"
	      "    list continues: 16 of 8200 bytes shown; the limit of "
	      "--alloc-length is 2000 (8192)\n");
	check(SCSI_PR_IN_READ_KEYS, "0000", 2,
	      "    list continues: 2 of 8 bytes shown; use "
	      "--alloc-length=8\n");
	/* The device's fault and not the length's: said on standard error. */
	check(SCSI_PR_IN_READ_KEYS, "00000003 00000010 0000000000000001", 8192,
	      "  PR generation=0x3, 2 registered reservation keys follow:\n"
	      "    0x1\n");
}

static void test_reservation(void)
{
	check(SCSI_PR_IN_READ_RESERVATION, "00000003 00000000", 8192,
	      "  PR generation=0x3, there is NO reservation held\n");
	check(SCSI_PR_IN_READ_RESERVATION,
	      "00000003 00000010 000000000000abcd 00000000 00 05 0000", 8192,
	      "  PR generation=0x3, Reservation follows:\n"
	      "    Key=0xabcd\n"
	      "    scope: LU_SCOPE,  type: Write Exclusive, registrants only\n");
	check(SCSI_PR_IN_READ_RESERVATION,
	      "00000003 00000010 000000000000abcd 00000000 00 12 0000", 8192,
	      "  PR generation=0x3, Reservation follows:\n"
	      "    Key=0xabcd\n"
	      "    scope: 1  type: obsolete [2]\n");
}

static void test_capabilities(void)
{
	check(SCSI_PR_IN_REPORT_CAPABILITIES, "00080dfff5010000", 8192,
	      "Report capabilities response:\n"
	      "  Replace Lost Reservation Capable(RLR_C): 0\n"
	      "  Compatible Reservation Handling(CRH): 0\n"
	      "  Specify Initiator Ports Capable(SIP_C): 1\n"
	      "  All Target Ports Capable(ATP_C): 1\n"
	      "  Persist Through Power Loss Capable(PTPL_C): 1\n"
	      "  Type Mask Valid(TMV): 1\n"
	      "  Allow Commands: 7\n"
	      "  Persist Through Power Loss Active(PTPL_A): 1\n"
	      "    Support indicated in Type mask:\n"
	      "      Write Exclusive, all registrants: 1\n"
	      "      Exclusive Access, registrants only: 1\n"
	      "      Write Exclusive, registrants only: 1\n"
	      "      Exclusive Access: 0\n"
	      "      Write Exclusive: 0\n"
	      "      Exclusive Access, all registrants: 1\n");
	check(SCSI_PR_IN_REPORT_CAPABILITIES, "0008157fea010000", 8192,
	      "Report capabilities response:\n"
	      "  Replace Lost Reservation Capable(RLR_C): 0\n"
	      "  Compatible Reservation Handling(CRH): 1\n"
	      "  Specify Initiator Ports Capable(SIP_C): 0\n"
	      "  All Target Ports Capable(ATP_C): 1\n"
	      "  Persist Through Power Loss Capable(PTPL_C): 1\n"
	      "  Type Mask Valid(TMV): 0\n"
	      "  Allow Commands: 7\n"
	      "  Persist Through Power Loss Active(PTPL_A): 1\n");
	check(SCSI_PR_IN_REPORT_CAPABILITIES, "0006157f0000", 8192, "");
}

static void test_full_status(void)
{
	check(SCSI_PR_IN_READ_FULL_STATUS, "00000005 00000000", 8192,
	      "  PR generation=0x5\n"
	      "  No full status descriptors\n");
	check(SCSI_PR_IN_READ_FULL_STATUS,
	      "00000009 00000060"
	      " 0000000000000abc 00000000 01 05 00000000 0001 00000018"
	      " 060000005000c50005b32001000000000000000000000000"
	      " 0000000000000def 00000000 02 05 00000000 0002 00000018"
	      " 000000000000000010000000c9f3a5710000000000000000",
	      8192,
	      "  PR generation=0x9\n"
	      "    Key=0xabc\n"
	      "      All target ports bit clear\n"
	      "      Relative port address: 0x1\n"
	      "      << Reservation holder >>\n"
	      "      scope: LU_SCOPE,  type: Write Exclusive, registrants "
	      "only\n"
	      "      Transport Id of initiator:\n"
	      "        SAS address: 0x5000c50005b32001\n"
	      "    Key=0xdef\n"
	      "      All target ports bit set\n"
	      "      not reservation holder\n"
	      "      Transport Id of initiator:\n"
	      "        FCP-2 World Wide Name:\n"
	      "      10 00 00 00 c9 f3 a5 71\n");
}

static void check_transport_id(const char *hex, const char *expected)
{
	size_t size = strlen(hex) / 2;
	g_autofree char *all = g_strdup_printf(
		"00000001 %08zx 0000000000000001 000000000200000000000000 "
		"%08zx %s",
		24 + size, size, hex);
	g_autofree char *lines =
		g_strconcat("  PR generation=0x1\n"
			    "    Key=0x1\n"
			    "      All target ports bit set\n"
			    "      not reservation holder\n"
			    "      Transport Id of initiator:\n",
			    expected, NULL);

	check(SCSI_PR_IN_READ_FULL_STATUS, all, 8192, lines);
}

static void test_transport_ids(void)
{
	check_transport_id("010000070000000300000000000000000000000000000000",
			   "        Parallel SCSI initiator SCSI address: 0x7\n"
			   "        relative port number (of corresponding "
			   "target): 0x3\n");
	check_transport_id("030000000000000000112233445566770000000000000000",
			   "        IEEE 1394 EUI-64 name:\n"
			   "      00 11 22 33 44 55 66 77\n");
	check_transport_id("0400000000000000000102030405060708090a0b0c0d0e0f",
			   "        RDMA initiator port identifier:\n"
			   "      00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d "
			   "0e 0f\n");
	check_transport_id("0500001469716e2e323030332d30312e6100000000000000",
			   "        iSCSI name: iqn.2003-01.a\n");
	check_transport_id("4500001869716e2e323030332d30312e612c692c3078313200"
			   "000000",
			   "        iSCSI world wide unique port id: "
			   "iqn.2003-01.a,i,0x12\n");
	check_transport_id("0a0012340000000000000000000000000000000000000000",
			   "        SOP Routing ID: 0x1234\n");
	check_transport_id("0b0012340000000000000000000000000000000000000000",
			   "        PCIE:\n"
			   "        TPID format: 0\n"
			   "      0b 00 12 34 00 00 00 00  00 00 00 00 00 00 "
			   "00 00\n"
			   "      00 00 00 00 00 00 00 00\n");
	check_transport_id("4e000000",
			   "        unknown protocol id=0xe  TPID format=1\n"
			   "      4e 00 00 00\n");
	check_transport_id("0f000000", "        No specified protocol\n"
				       "      0f 00 00 00\n");
	/* Too short for what it says that it is. */
	check_transport_id("0600000050", "        SAS:\n"
					 "        TPID format: 0\n"
					 "      06 00 00 00 50\n");
}

/* A device cannot write to the operator's terminal. */
static void test_escapes(void)
{
	check_transport_id("0500001469716e2e1b5b33316d0a5cc29be282ac00000000",
			   "        iSCSI name: "
			   "iqn.\\x1b[31m\\x0a\\x5c\\xc2\\x9b\u20ac\n");
	check_transport_id("0500001469716e2effe280ae7fc30000000000000000000000"
			   "00",
			   "        iSCSI name: "
			   "iqn.\\xff\\xe2\\x80\\xae\\x7f\\xc3\n");
}

static void test_hex(void)
{
	static const char keys[] = "00000003 00000010 000000000012abcd"
				   " 0000000000000000";

	check_hex(SCSI_PR_IN_READ_KEYS, keys, 1,
		  "  PR generation=0x3, Additional length=16\n"
		  " 00     00 00 00 00 00 12 ab cd  00 00 00 00 00 00 00 00\n");
	check_hex(SCSI_PR_IN_READ_KEYS, keys, 2,
		  " 00     00 00 00 03 00 00 00 10  00 00 00 00 00 12 ab cd\n"
		  " 10     00 00 00 00 00 00 00 00\n");
	check_hex(SCSI_PR_IN_READ_KEYS, keys, 3,
		  "00 00 00 03 00 00 00 10  00 00 00 00 00 12 ab cd\n"
		  "00 00 00 00 00 00 00 00\n");
	check_hex(SCSI_PR_IN_READ_KEYS, "00000003 00000000 00000000", 1,
		  "  PR generation=0x3, Additional length=0\n");
	check_hex(SCSI_PR_IN_REPORT_CAPABILITIES, "00080dfff501000000", 1,
		  " 00     00 08 0d ff f5 01 00 00\n");
}

static void check_outcome(WireReply reply, const char *expected)
{
	g_autoptr(GString) text = g_string_new("");

	print_outcome(text, &reply);
	g_assert_cmpstr(text->str, ==, expected);
}

static void test_outcomes(void)
{
	check_outcome((WireReply) { .status = SCSI_RESERVATION_CONFLICT },
		      "Reservation conflict (status 0x18)");
	check_outcome((WireReply) { .status = 0x55 }, "Unknown (status 0x55)");
	check_outcome((WireReply) { .status = SCSI_CHECK_CONDITION },
		      "Check condition without sense data");
	check_outcome((WireReply) { .status = SCSI_CHECK_CONDITION,
				    .sense = { 0x72, 0x06, 0x2a, 0x03 } },
		      "Unit attention: RESERVATIONS PREEMPTED "
		      "(sense 6/2a/03)");
	check_outcome((WireReply) { .status = SCSI_CHECK_CONDITION,
				    .sense = { 0x72, 0x05, 0xfe, 0xdc } },
		      "Illegal request (sense 5/fe/dc)");
}

static void test_commands(void)
{
	uint8_t parameters[SCSI_PR_PARAMETERS_LENGTH] = { [15] = 1 };
	g_autoptr(GByteArray) list = g_byte_array_new();
	ClientRequest request = { { 0x5f, 0x06, 0, 0, 0, 0, 0, 0, 0x18 },
				  list };
	g_autoptr(GString) text = g_string_new("");

	g_byte_array_append(list, parameters, sizeof(parameters));
	print_command_name(text, request.cdb);
	g_assert_cmpstr(text->str, ==,
			"PR out (Register and ignore existing key)");
	g_string_truncate(text, 0);
	print_request(text, &request, 2);
	g_assert_cmpstr(
		text->str, ==,
		"    Persistent reservation out cdb: "
		"[5f 06 00 00 00 00 00 00 18 00]\n"
		"    Persistent reservation out parameters:\n"
		" 00     00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 01\n"
		" 10     00 00 00 00 00 00 00 00\n");
	g_string_truncate(text, 0);
	request = (ClientRequest) { { 0x5e, 0, 0, 0, 0, 0, 0, 0x20 }, NULL };
	print_command_name(text, request.cdb);
	print_request(text, &request, 2);
	g_assert_cmpstr(text->str, ==,
			"PR in (Read keys)"
			"    Persistent reservation in cdb: "
			"[5e 00 00 00 00 00 00 20 00 00]\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/print/keys", test_keys);
	g_test_add_func("/client/print/cut-off", test_keys_cut_off);
	g_test_add_func("/client/print/reservation", test_reservation);
	g_test_add_func("/client/print/capabilities", test_capabilities);
	g_test_add_func("/client/print/full-status", test_full_status);
	g_test_add_func("/client/print/transport-ids", test_transport_ids);
	g_test_add_func("/client/print/escapes", test_escapes);
	g_test_add_func("/client/print/hex", test_hex);
	g_test_add_func("/client/print/outcomes", test_outcomes);
	g_test_add_func("/client/print/commands", test_commands);
	return g_test_run();
}
