/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines in, one struct out: each option by its letter and its name,
 * and each way to give it wrongly. What prints runs in a child.
 */
#include "process/options.h"

#include <getopt.h>

#include "base/trace.h"
#include "process/options-rules.h"
#include "process/user.h"
#include "testing.h"

/* Words separated by blanks; '_' alone is the empty word. */
static OptionsVerdict parse(const char *line, Options *ret_options,
			    GError **error)
{
	/* Options point into the words, so these stay until the end. */
	static GPtrArray *kept;
	GStrv words = g_strsplit(line, " ", -1);

	if (!kept)
		kept = g_ptr_array_new();
	g_ptr_array_add(kept, words);
	for (char **word = words; *word; word++)
		if (strcmp(*word, "_") == 0)
			**word = '\0';
	optind = 0;
	return options_parse((int)g_strv_length(words), words, ret_options,
			     error);
}

static Options parsed(const char *line)
{
	g_autoptr(GError) error = NULL;
	Options options = { 0 };

	g_test_message("%s", line);
	g_assert_cmpint(parse(line, &options, &error), ==, OPTIONS_RUN);
	g_assert_no_error(error);
	return options;
}

static void assert_wrong(const char *line, const char *word)
{
	g_autoptr(GError) error = NULL;
	Options options, untouched;

	g_test_message("%s", line);
	memset(&options, 0x5a, sizeof(options));
	memcpy(&untouched, &options, sizeof(options));
	g_assert_cmpint(parse(line, &options, &error), ==, OPTIONS_WRONG);
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, word));
	g_assert_cmpmem(&options, sizeof(options), &untouched,
			sizeof(untouched));
}

static void test_defaults(void)
{
	Options options = parsed("qemu-pr-helper");

	g_assert_cmpstr(options.socket_path, ==,
			RUNSTATEDIR "/qemu-pr-helper.sock");
	g_assert_false(options.socket_given);
	g_assert_true(options.socket_mode == (mode_t)-1);
	g_assert_true(options.socket_owner == USER_UNCHANGED);
	g_assert_true(options.socket_group == USER_UNCHANGED);
	g_assert_false(options.daemon);
	g_assert_null(options.pidfile);
	g_assert_true(options.user == USER_UNCHANGED);
	g_assert_true(options.group == USER_UNCHANGED);
	g_assert_cmpint(options.log_target, ==, LOG_TARGET_AUTO);
	g_assert_cmpint(options.log_level, ==, LOG_LEVEL_INFO);
	g_assert_cmpuint(options.max_clients, ==, DEFAULT_MAX_CLIENTS);
	g_assert_false(options.max_clients_given);
	g_assert_cmpint(options.command_timeout_us, ==, 25 * G_USEC_PER_SEC);
}

static void test_socket(void)
{
	static const char *const lines[] = {
		"x -k /a/b",
		"x -k/a/b",
		"x --socket=/a/b",
		"x --socket /a/b",
		"x -k /c -k /a/b",
		/* As with QEMU's helper, though ours has more options. */
		"x --s=/a/b",
		"x --so /a/b",
		"x --soc=/a/b",
		"x --sock /a/b",
		"x --socke=/a/b",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		Options options = parsed(lines[i]);

		g_assert_cmpstr(options.socket_path, ==, "/a/b");
		g_assert_true(options.socket_given);
	}
	assert_wrong("x -k a/b", "absolute");
	assert_wrong("x -k ./b", "absolute");
	assert_wrong("x -k _", "absolute");
}

static void assert_pidfile(const char *line, const char *expected)
{
	Options options = parsed(line);

	g_assert_cmpstr(options.pidfile, ==, expected);
	g_free(options.pidfile);
}

/* The daemon leaves the directory, so a relative path is made absolute. */
static void test_pidfile(void)
{
	g_autofree char *directory = g_get_current_dir();
	g_autofree char *path = g_build_filename(directory, "p.pid", NULL);
	g_autofree char *below = g_build_filename(directory, "a/p.pid", NULL);

	assert_pidfile("x -f /a/p", "/a/p");
	assert_pidfile("x --pidfile=/a/p", "/a/p");
	assert_pidfile("x -f p.pid", path);
	assert_pidfile("x -f a/p.pid", below);
	assert_pidfile("x -d -f /a/p", "/a/p");
	assert_pidfile("x -d", RUNSTATEDIR "/qemu-pr-helper.pid");
}

static void test_daemon(void)
{
	static const char *const lines[] = { "x -d", "x --daemon" };

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		Options options = parsed(lines[i]);

		g_assert_true(options.daemon);
		g_free(options.pidfile);
	}
}

static void test_verbosity(void)
{
	static const struct {
		const char *line;
		LogLevel level;
	} cases[] = {
		{ "x -v", LOG_LEVEL_DEBUG },
		{ "x --verbose", LOG_LEVEL_DEBUG },
		{ "x -vvv", LOG_LEVEL_DEBUG },
		{ "x -q", LOG_LEVEL_WARNING },
		{ "x --quiet", LOG_LEVEL_WARNING },
		{ "x -qq", LOG_LEVEL_ERROR },
		{ "x -qqqq", LOG_LEVEL_ERROR },
		{ "x -q -v", LOG_LEVEL_INFO },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(parsed(cases[i].line).log_level, ==,
				cases[i].level);
}

static void assert_identity(const char *line, uid_t user, gid_t group)
{
	Options options = parsed(line);

	g_assert_cmpuint(options.user, ==, user);
	g_assert_cmpuint(options.group, ==, group);
}

static void test_identity(void)
{
	assert_identity("x -u root", 0, 0);
	assert_identity("x --user=0", 0, 0);
	assert_identity("x -g root", USER_UNCHANGED, 0);
	assert_identity("x --group=4711", USER_UNCHANGED, 4711);
	/* -g wins over the user's own group, in either order. */
	assert_identity("x -u root -g 4711", 0, 4711);
	assert_identity("x -g 4711 -u root", 0, 4711);
	assert_identity("x -u 4294967294 -g 4711", 4294967294, 4711);
	assert_wrong("x -u nosuchuser", "nosuchuser");
	assert_wrong("x -g nosuchgroup", "nosuchgroup");
	assert_wrong("x -u 4294967295 -g 0", "4294967295");
	assert_wrong("x -g 4294967295", "4294967295");
	/* Its group cannot be told, and must not stay root's. */
	assert_wrong("x -u 4294967294", "-g");
	assert_wrong("x -f /a/p -u nosuchuser", "nosuchuser");
}

static void test_socket_permissions(void)
{
	Options options = parsed("x --socket-mode=0660 --socket-owner=root "
				 "--socket-group=4711");

	g_assert_cmpuint(options.socket_mode, ==, 0660);
	g_assert_cmpuint(options.socket_owner, ==, 0);
	g_assert_cmpuint(options.socket_group, ==, 4711);
	g_assert_cmpuint(parsed("x --socket-mode=0").socket_mode, ==, 0);
	g_assert_cmpuint(parsed("x --socket-mode=777").socket_mode, ==, 0777);
	assert_wrong("x --socket-mode=1000", "octal");
	assert_wrong("x --socket-mode=0680", "octal");
	assert_wrong("x --socket-mode=-1", "octal");
	assert_wrong("x --socket-mode=rw", "octal");
	assert_wrong("x --socket-mode=", "octal");
	assert_wrong("x --socket-owner=nosuchuser", "nosuchuser");
	assert_wrong("x --socket-group=nosuchgroup", "nosuchgroup");
}

static void test_activation(void)
{
	static const struct {
		const char *line, *option, *setting;
	} own[] = {
		{ "x -k /a", "-k ", "ListenStream=" },
		{ "x --socket-mode=0", "--socket-mode ", "SocketMode=" },
		{ "x --socket-owner=0", "--socket-owner ", "SocketUser=" },
		{ "x --socket-group=0", "--socket-group ", "SocketGroup=" },
	};
	Options options = parsed("x -u root --max-clients=7");

	g_assert_true(options_suit_activation(&options, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(own); i++) {
		g_autoptr(GError) error = NULL;

		options = parsed(own[i].line);
		g_assert_false(options_suit_activation(&options, &error));
		g_assert_nonnull(strstr(error->message, own[i].option));
		g_assert_nonnull(strstr(error->message, own[i].setting));
	}
}

static void test_limits(void)
{
	Options options = parsed("x --max-clients=17 --command-timeout=3");

	g_assert_cmpuint(options.max_clients, ==, 17);
	g_assert_true(options.max_clients_given);
	g_assert_cmpint(options.command_timeout_us, ==, 3 * G_USEC_PER_SEC);
	g_assert_cmpint(parsed("x --command-timeout=3600").command_timeout_us,
			==, (gint64)3600 * G_USEC_PER_SEC);
	assert_wrong("x --command-timeout=0", "command-timeout");
	assert_wrong("x --command-timeout=3601", "3600");
	assert_wrong("x --command-timeout=5s", "command-timeout");
	assert_wrong("x --command-timeout=-5", "command-timeout");
	assert_wrong("x --max-clients=0", "max-clients");
	assert_wrong("x --max-clients=1000001", "1000000");
	assert_wrong("x --max-clients=18446744073709551617", "max-clients");
}

static void test_log_target(void)
{
	g_assert_cmpint(parsed("x --log-target=auto").log_target, ==,
			LOG_TARGET_AUTO);
	g_assert_cmpint(parsed("x --log-target=journal").log_target, ==,
			LOG_TARGET_JOURNAL);
	g_assert_cmpint(parsed("x --log-target=stderr").log_target, ==,
			LOG_TARGET_STDERR);
	g_assert_cmpint(parsed("x --log-target=syslog").log_target, ==,
			LOG_TARGET_SYSLOG);
	assert_wrong("x --log-target=file", "file");
	assert_wrong("x --log-target=", "log-target");
}

static void test_trace(void)
{
	parsed("x -T command_late --trace=enable=scsi_*");
	g_assert_true(trace_enabled[TRACE_command_late]);
	g_assert_true(trace_enabled[TRACE_scsi_submit]);
	g_assert_false(trace_enabled[TRACE_server_drain]);
	parsed("x -T -*");
	assert_wrong("x -T events=/nonexistent/file", "/nonexistent/file");
}

static void test_argument(void)
{
	assert_wrong("x file", "file");
	assert_wrong("x -d file", "file");
	assert_wrong("x -- -d", "-d");
}

/* What the command line prints, as the user sees it. */
static void assert_prints(const char *line, OptionsVerdict verdict,
			  const char *out, const char *err)
{
	g_autoptr(GError) error = NULL;
	Options options;

	if (g_test_subprocess()) {
		g_assert_cmpint(parse(line, &options, &error), ==, verdict);
		g_assert_no_error(error);
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
	g_test_trap_assert_stdout(out);
	g_test_trap_assert_stderr(err);
}

static void test_help(void)
{
	assert_prints("x -k /a --help", OPTIONS_DONE,
		      "*Usage: qemu-pr-helper*--max-clients*", "");
}

static void test_version(void)
{
	assert_prints("x -V", OPTIONS_DONE, "*qemu-pr-helper " VERSION "*", "");
}

static void test_trace_help(void)
{
	assert_prints("x -T help", OPTIONS_DONE,
		      "*connection_accept*server_drain*", "");
}

static void test_unknown(void)
{
	assert_prints("x --nonsense", OPTIONS_WRONG, "*",
		      "*--nonsense*Try *--help*");
}

static void test_missing_argument(void)
{
	assert_prints("x -k", OPTIONS_WRONG, "*", "*Try *--help*");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/options/defaults", test_defaults);
	g_test_add_func("/options/socket", test_socket);
	g_test_add_func("/options/pidfile", test_pidfile);
	g_test_add_func("/options/daemon", test_daemon);
	g_test_add_func("/options/verbosity", test_verbosity);
	g_test_add_func("/options/identity", test_identity);
	g_test_add_func("/options/socket-permissions", test_socket_permissions);
	g_test_add_func("/options/activation", test_activation);
	g_test_add_func("/options/limits", test_limits);
	g_test_add_func("/options/log-target", test_log_target);
	g_test_add_func("/options/trace", test_trace);
	g_test_add_func("/options/argument", test_argument);
	g_test_add_func("/options/print/help", test_help);
	g_test_add_func("/options/print/version", test_version);
	g_test_add_func("/options/print/trace-help", test_trace_help);
	g_test_add_func("/options/print/unknown", test_unknown);
	g_test_add_func("/options/print/missing-argument",
			test_missing_argument);
	return g_test_run();
}
