/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, and the bytes that it stands for: those that sg_persist
 * 0.67 sends for the same words.
 */
#include "client/options.h"

#include <string.h>

#include "base/bytes.h"
#include "client/exit-status.h"
#include "client/number.h"
#include "client/request.h"

/* Splits at blanks; the program's name comes by itself. */
static bool parse(const char *line, ClientOptions *ret_options, GError **error)
{
	g_autofree char *all = g_strdup_printf("qemu-pr-client %s", line);
	g_auto(GStrv) words = g_strsplit(g_strstrip(all), " ", -1);

	return client_options_parse((int)g_strv_length(words), words,
				    ret_options, error);
}

static void check_error(const char *line, ExitStatus status,
			const char *message)
{
	ClientOptions options;
	g_autoptr(GError) error = NULL;

	g_assert_false(parse(line, &options, &error));
	g_assert_error(error, CLIENT_ERROR, (int)status);
	if (!strstr(error->message, message))
		g_error("'%s': '%s' lacks '%s'", line, error->message, message);
}

static void test_defaults(void)
{
	ClientOptions options;

	g_assert_true(parse("/dev/sdb", &options, NULL));
	g_assert_cmpint(options.action, ==, CLIENT_ACTION_COMMAND);
	g_assert_cmpstr(options.device, ==, "/dev/sdb");
	g_assert_cmpstr(options.socket, ==, RUNSTATEDIR "/qemu-pr-helper.sock");
	g_assert_cmpuint(options.timeout, ==, 60);
	g_assert_cmphex(options.opcode, ==, SCSI_PERSISTENT_RESERVE_IN);
	g_assert_cmphex(options.service_action, ==, SCSI_PR_IN_READ_KEYS);
	g_assert_cmpuint(options.allocation_length, ==, 8192);
	client_options_deinit(&options);
}

static void test_other_options(void)
{
	ClientOptions options;

	g_assert_true(parse("-jnvvyyHH --socket=/s --timeout 7 -d /dev/x",
			    &options, NULL));
	g_assert_true(options.json);
	g_assert_cmpuint(options.verbose, ==, 2);
	g_assert_cmpuint(options.readonly, ==, 2);
	g_assert_cmpuint(options.hex, ==, 2);
	g_assert_cmpstr(options.socket, ==, "/s");
	g_assert_cmpuint(options.timeout, ==, 7);
	g_assert_cmpstr(options.device, ==, "/dev/x");
	client_options_deinit(&options);
}

static void test_actions(void)
{
	ClientOptions options;

	g_assert_true(parse("--ping -u /s", &options, NULL));
	g_assert_cmpint(options.action, ==, CLIENT_ACTION_PING);
	client_options_deinit(&options);
	g_assert_true(parse("-o -h --ping", &options, NULL));
	g_assert_cmpint(options.action, ==, CLIENT_ACTION_HELP);
	client_options_deinit(&options);
	g_assert_true(parse("-V -h", &options, NULL));
	g_assert_cmpint(options.action, ==, CLIENT_ACTION_VERSION);
	client_options_deinit(&options);
	g_assert_true(parse("-? -k", &options, NULL));
	g_assert_cmpint(options.action, ==, CLIENT_ACTION_HELP);
	client_options_deinit(&options);
}

static void test_syntax(void)
{
	check_error("", EXIT_STATUS_SYNTAX, "no DEVICE");
	check_error("-k", EXIT_STATUS_SYNTAX, "no DEVICE");
	check_error("/dev/a /dev/b", EXIT_STATUS_SYNTAX, "/dev/b");
	check_error("-d /dev/a /dev/b", EXIT_STATUS_SYNTAX, "/dev/b");
	check_error("-d /dev/a -d /dev/b", EXIT_STATUS_SYNTAX, "/dev/b");
	check_error("--bogus /dev/a", EXIT_STATUS_SYNTAX,
		    "unknown option --bogus");
	check_error("-kw /dev/a", EXIT_STATUS_SYNTAX, "unknown option -w");
	check_error("--param-rk", EXIT_STATUS_SYNTAX,
		    "option --param-rk needs an argument");
	check_error("/dev/a -K", EXIT_STATUS_SYNTAX, "option -K needs");
	check_error("--in=3 /dev/a", EXIT_STATUS_SYNTAX,
		    "option --in takes no");
	check_error("-v 2 /dev/a", EXIT_STATUS_SYNTAX, "takes no LEVEL");
}

static void test_abbreviations(void)
{
	ClientOptions options;

	g_assert_true(
		parse("--o --register --param-r 7 --param_s=8 --t=6 --no /a",
		      &options, NULL));
	g_assert_cmphex(options.service_action, ==, SCSI_PR_OUT_REGISTER);
	g_assert_cmpuint(options.parameters.reservation_key, ==, 7);
	g_assert_cmpuint(options.parameters.service_action_key, ==, 8);
	g_assert_cmpuint(options.transport_ids->len, ==, 1);
	client_options_deinit(&options);
	check_error("--rel /dev/a", EXIT_STATUS_SYNTAX,
		    "option --rel is ambiguous: --release, "
		    "--relative-target-port");
	check_error("--param-=1 /dev/a", EXIT_STATUS_SYNTAX,
		    "option --param- is ambiguous: --param-rk, --param-sark, ");
}

static void test_syntax_of_arguments(void)
{
	g_autofree char *path = g_strnfill(108, 'p');
	g_autofree char *socket = g_strdup_printf("-u %s /dev/a", path);

	check_error("--param-rk=xyz /dev/a", EXIT_STATUS_SYNTAX,
		    "--param-rk: 'xyz'");
	check_error("-K 123456789abcdef01 /dev/a", EXIT_STATUS_SYNTAX,
		    "--param-rk");
	check_error("-K -1 /dev/a", EXIT_STATUS_SYNTAX, "--param-rk");
	check_error("-S 0x /dev/a", EXIT_STATUS_SYNTAX, "--param-sark");
	check_error("--param-sark= /dev/a", EXIT_STATUS_SYNTAX, "--param-sark");
	check_error("-T 16 /dev/a", EXIT_STATUS_SYNTAX, "--prout-type");
	check_error("-Q 10000 /dev/a", EXIT_STATUS_SYNTAX,
		    "--relative-target-port");
	check_error("-l 2001 /dev/a", EXIT_STATUS_SYNTAX, "--alloc-length");
	check_error("-m 8193 /dev/a", EXIT_STATUS_SYNTAX, "--maxlen");
	check_error("-m 9k /dev/a", EXIT_STATUS_SYNTAX, "--maxlen");
	check_error("-t 0 /dev/a", EXIT_STATUS_SYNTAX, "--timeout");
	check_error("-t 86401 /dev/a", EXIT_STATUS_SYNTAX, "--timeout");
	check_error("-t 1.5 /dev/a", EXIT_STATUS_SYNTAX, "--timeout");
	check_error(socket, EXIT_STATUS_SYNTAX, "--socket");
}

static void test_contradictions(void)
{
	static const char *const lines[] = {
		"-i -o /dev/a",
		"-o /dev/a",
		"-G /dev/a",
		"-i -G /dev/a",
		"-k -r /dev/a",
		"-o -G -R /dev/a",
		"-o -G -k /dev/a",
		"-o -k /dev/a",
		"-o -M -S 5 /dev/a",
		"-o -M -X sas,1 -X sas,2 /dev/a",
		"-o -M -Y -X sas,5000c50005b32001 /dev/a",
		"-o -G -U /dev/a",
		"-o -G --unreg /dev/a",
		"-o -G -Q 1 /dev/a",
		"-o -R -T 1 -X sas,5000c50005b32001 /dev/a",
		"-k -X sas,5000c50005b32001 /dev/a",
		"--ping /dev/a",
		"--ping -k",
		"--ping --out",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		check_error(lines[i], EXIT_STATUS_CONTRADICTION, "");
}

static GByteArray *request_bytes(const char *line, GError **error)
{
	ClientOptions options;
	ClientRequest request = { 0 };
	TransportList ids;
	GByteArray *bytes = g_byte_array_new();

	g_assert_true(parse(line, &options, NULL));
	transport_list_init(&ids);
	for (guint i = 0; i < options.transport_ids->len; i++)
		g_assert_true(transport_list_add(
			&ids, options.transport_ids->pdata[i], NULL));
	if (client_request_init(&request, &options, &ids, error)) {
		g_byte_array_append(bytes, request.cdb, WIRE_CDB_SIZE);
		if (request.parameters)
			g_byte_array_append(bytes, request.parameters->data,
					    request.parameters->len);
	}
	client_request_deinit(&request);
	transport_list_deinit(&ids);
	client_options_deinit(&options);
	return bytes;
}

/* `hex` may have blanks in it. */
static void check_request(const char *line, const char *hex)
{
	g_autoptr(GByteArray) bytes = request_bytes(line, NULL);
	g_autoptr(GString) text = g_string_new("");
	g_auto(GStrv) words = g_strsplit(hex, " ", -1);
	g_autofree char *expected = g_strjoinv("", words);

	number_append_bytes(text, bytes->data, bytes->len);
	g_assert_cmpstr(text->str, ==, expected);
}

#define CDB_PAD " 000000000000"
#define SAS_ID  " 060000005000c50005b32001000000000000000000000000"

static void test_requests_in(void)
{
	check_request("/dev/a", "5e000000000000200000" CDB_PAD);
	check_request("-i -r /dev/a", "5e010000000000200000" CDB_PAD);
	check_request("-c -l 8 /dev/a", "5e020000000000000800" CDB_PAD);
	check_request("-s -m 24 /dev/a", "5e030000000000001800" CDB_PAD);
	check_request("-s -m 1k /dev/a", "5e030000000000040000" CDB_PAD);
	check_request("--read-status -l 0 /dev/a",
		      "5e030000000000000000" CDB_PAD);
}

static void test_requests_out(void)
{
	check_request("-o -G --param-sark=0x123abc /dev/a",
		      "5f000000000000001800" CDB_PAD
		      " 0000000000000000 0000000000123abc 00000000 00 000000");
	check_request("-o -I -S 5 -Y -Z /dev/a",
		      "5f060000000000001800" CDB_PAD
		      " 0000000000000000 0000000000000005 00000000 05 000000");
	check_request("--out --reserve --param_rk=5 --prout_type=5 /dev/a",
		      "5f010500000000001800" CDB_PAD
		      " 0000000000000005 0000000000000000 00000000 00 000000");
	check_request("-o -A -K ffffffffffffffff -S 1 -T 8 /dev/a",
		      "5f050800000000001800" CDB_PAD
		      " ffffffffffffffff 0000000000000001 00000000 00 000000");
	check_request("-o -z -S1 -T1 /dev/a",
		      "5f080100000000001800" CDB_PAD
		      " 0000000000000000 0000000000000001 00000000 00 000000");
}

static void test_requests_every_action(void)
{
	static const char letters[] = "GRLCPAI";

	for (size_t i = 0; letters[i]; i++) {
		g_autofree char *line =
			g_strdup_printf("-o -%c -K1 /dev/a", letters[i]);
		g_autoptr(GByteArray) bytes = request_bytes(line, NULL);

		g_assert_cmphex(bytes->data[0], ==, 0x5f);
		g_assert_cmphex(bytes->data[1], ==, i);
	}
}

static void test_requests_transport_ids(void)
{
	check_request("-o -G -S 5 -X sas,5000c50005b32001 -Y -Z /dev/a",
		      "5f000000000000003400" CDB_PAD
		      " 0000000000000000 0000000000000005 00000000 0d 000000"
		      " 00000018" SAS_ID);
	check_request("-o -I -S 5 -X sas,5000c50005b32001"
		      " -X sas,5000c50005b32001 /dev/a",
		      "5f060000000000004c00" CDB_PAD
		      " 0000000000000000 0000000000000005 00000000 08 000000"
		      " 00000030" SAS_ID SAS_ID);
	check_request("-o -M -K1 -S2 -X sas,5000c50005b32001 -Q 3 -U -Z -T 5 "
		      "/dev/a",
		      "5f070500000000003000" CDB_PAD
		      " 0000000000000001 0000000000000002 00 03 0003"
		      " 00000018" SAS_ID);
	/* An empty list of IDs is no SPEC_I_PT. */
	check_request("-o -G -S 5 -X file=/dev/null /dev/a",
		      "5f000000000000001800" CDB_PAD
		      " 0000000000000000 0000000000000005 00000000 00 000000");
}

static void test_requests_refused(void)
{
	g_autoptr(GString) line = g_string_new("-o -G -S 5");
	g_autoptr(GError) error = NULL;
	GByteArray *bytes;

	bytes = request_bytes("-o -M -T1 -X file=/dev/null /dev/a", &error);
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_CONTRADICTION);
	g_clear_error(&error);
	g_byte_array_unref(bytes);

	/* 340 IDs of 24 bytes fit behind 28 bytes, 341 do not. */
	for (int i = 0; i < 340; i++)
		g_string_append(line, " -X 6");
	g_string_append(line, " /dev/a");
	bytes = request_bytes(line->str, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(bytes->len, ==, 16 + 28 + 340 * 24);
	g_assert_cmpuint(be32_get(bytes->data + 5), ==, 28 + 340 * 24);
	g_byte_array_unref(bytes);
	g_string_append(line, " -X 6");
	bytes = request_bytes(line->str, &error);
	g_assert_error(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX);
	g_byte_array_unref(bytes);
}

static void test_help(void)
{
	g_auto(GStrv) lines = g_strsplit(client_options_help(), "\n", -1);

	for (char **line = lines; *line; line++)
		g_assert_cmpuint(strlen(*line), <, 80);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/options/defaults", test_defaults);
	g_test_add_func("/client/options/others", test_other_options);
	g_test_add_func("/client/options/actions", test_actions);
	g_test_add_func("/client/options/syntax", test_syntax);
	g_test_add_func("/client/options/abbreviations", test_abbreviations);
	g_test_add_func("/client/options/arguments", test_syntax_of_arguments);
	g_test_add_func("/client/options/contradictions", test_contradictions);
	g_test_add_func("/client/options/help", test_help);
	g_test_add_func("/client/request/in", test_requests_in);
	g_test_add_func("/client/request/out", test_requests_out);
	g_test_add_func("/client/request/actions", test_requests_every_action);
	g_test_add_func("/client/request/transport-ids",
			test_requests_transport_ids);
	g_test_add_func("/client/request/refused", test_requests_refused);
	return g_test_run();
}
