/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All options of the helper that this one replaces, by the same letters, and
 * a few long ones of our own. Their texts live in usage.c.
 */
#include "process/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/trace.h"
#include "process/account.h"
#include "usage.h"

#define SECOND ((gint64)1000 * 1000)

enum {
	OPTION_SOCKET_MODE = 0x100,
	OPTION_SOCKET_OWNER,
	OPTION_SOCKET_GROUP,
	OPTION_COMMAND_TIMEOUT,
	OPTION_MAX_CLIENTS,
	OPTION_LOG_TARGET,
	OPTION_CHECK,
};

static const char short_options[] = "hVdqvf:k:T:u:g:";

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "daemon", no_argument, NULL, 'd' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "pidfile", required_argument, NULL, 'f' },
	{ "socket", required_argument, NULL, 'k' },
	{ "trace", required_argument, NULL, 'T' },
	{ "user", required_argument, NULL, 'u' },
	{ "group", required_argument, NULL, 'g' },
	{ "socket-mode", required_argument, NULL, OPTION_SOCKET_MODE },
	{ "socket-owner", required_argument, NULL, OPTION_SOCKET_OWNER },
	{ "socket-group", required_argument, NULL, OPTION_SOCKET_GROUP },
	{ "command-timeout", required_argument, NULL, OPTION_COMMAND_TIMEOUT },
	{ "max-clients", required_argument, NULL, OPTION_MAX_CLIENTS },
	{ "log-target", required_argument, NULL, OPTION_LOG_TARGET },
	{ "check", no_argument, NULL, OPTION_CHECK },
	/* Among QEMU's options these are unique abbreviations of --socket,
	 * which our own that begin alike must not take away. */
	{ "s", required_argument, NULL, 'k' },
	{ "so", required_argument, NULL, 'k' },
	{ "soc", required_argument, NULL, 'k' },
	{ "sock", required_argument, NULL, 'k' },
	{ "socke", required_argument, NULL, 'k' },
	{ NULL, 0, NULL, 0 },
};

/* The options as they come, before the defaults that depend on each other. */
typedef struct Parse {
	Options options;
	const char *user, *group, *pidfile;
	int verbosity;
} Parse;

static bool number_get(const char *option, const char *text, unsigned int base,
		       guint64 min, guint64 max, guint64 *ret_number,
		       GError **error)
{
	if (g_ascii_string_to_unsigned(text, base, min, max, ret_number, NULL))
		return true;
	if (base == 8)
		error_set(error,
			  "--%s='%s' is not an octal number from %03" PRIo64
			  " to %03" PRIo64,
			  option, text, min, max);
	else
		error_set(error,
			  "--%s='%s' is not a number from %" PRIu64
			  " to %" PRIu64,
			  option, text, min, max);
	return false;
}

static bool set_mode(Options *options, const char *text, GError **error)
{
	guint64 mode;

	if (!number_get("socket-mode", text, 8, 0, 0777, &mode, error))
		return false;
	options->socket_mode = (mode_t)mode;
	return true;
}

static bool set_timeout(Options *options, const char *text, GError **error)
{
	guint64 seconds;

	if (!number_get("command-timeout", text, 10, 1, 3600, &seconds, error))
		return false;
	options->command_timeout = (gint64)seconds * SECOND;
	return true;
}

static bool set_max_clients(Options *options, const char *text, GError **error)
{
	guint64 clients;

	if (!number_get("max-clients", text, 10, 1, 1000000, &clients, error))
		return false;
	options->max_clients = (unsigned int)clients;
	options->max_clients_given = true;
	return true;
}

static bool set_log_target(Options *options, const char *text, GError **error)
{
	static const char *const names[] = {
		[LOG_TARGET_AUTO] = "auto",
		[LOG_TARGET_JOURNAL] = "journal",
		[LOG_TARGET_SYSLOG] = "syslog",
		[LOG_TARGET_STDERR] = "stderr",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(text, names[i]) == 0) {
			options->log_target = (LogTarget)i;
			return true;
		}
	error_set(error,
		  "--log-target='%s' is not auto, journal, syslog or stderr",
		  text);
	return false;
}

static bool set_socket(Options *options, const char *path, GError **error)
{
	if (!g_path_is_absolute(path)) {
		error_set(error, "socket path must be absolute, not '%s'",
			  path);
		return false;
	}
	options->socket_path = path;
	options->socket_given = true;
	return true;
}

static bool set_pidfile(Parse *parse, const char *path, GError **error)
{
	if (!*path) {
		error_set(error, "the path of the PID file is empty; give one "
				 "with -f");
		return false;
	}
	parse->pidfile = path;
	return true;
}

static bool set_option(Parse *parse, int option, const char *argument,
		       GError **error)
{
	Options *options = &parse->options;
	gid_t primary;

	switch (option) {
	case 'd':
		options->daemon = true;
		return true;
	case 'q':
		parse->verbosity--;
		return true;
	case 'v':
		parse->verbosity++;
		return true;
	case 'f':
		return set_pidfile(parse, argument, error);
	case 'k':
		return set_socket(options, argument, error);
	case 'T':
		return trace_option(argument, error);
	case 'u':
		parse->user = argument;
		return true;
	case 'g':
		parse->group = argument;
		return true;
	case OPTION_SOCKET_MODE:
		return set_mode(options, argument, error);
	case OPTION_SOCKET_OWNER:
		return account_user("socket-owner", argument,
				    &options->socket_owner, &primary, error);
	case OPTION_SOCKET_GROUP:
		return account_group("socket-group", argument,
				     &options->socket_group, error);
	case OPTION_COMMAND_TIMEOUT:
		return set_timeout(options, argument, error);
	case OPTION_MAX_CLIENTS:
		return set_max_clients(options, argument, error);
	case OPTION_LOG_TARGET:
		return set_log_target(options, argument, error);
	case OPTION_CHECK:
		options->check = true;
		return true;
	}
	g_assert_not_reached();
}

/* -u alone means the user's own group too: staying in group 0 would keep what
 * dropping privileges is meant to give up. */
static bool resolve_identity(const Parse *parse, Options *options,
			     GError **error)
{
	if (parse->user && !account_user("user", parse->user, &options->user,
					 &options->group, error))
		return false;
	if (parse->group)
		return account_group("group", parse->group, &options->group,
				     error);
	if (parse->user && options->group == ACCOUNT_UNCHANGED) {
		error_set(error,
			  "user '%s' is not in the user database, so its group "
			  "is unknown; give it with -g",
			  parse->user);
		return false;
	}
	return true;
}

static LogLevel level_of(int verbosity)
{
	if (verbosity > 0)
		return LOG_LEVEL_DEBUG;
	if (verbosity == 0)
		return LOG_LEVEL_INFO;
	return verbosity == -1 ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
}

/* -d ends what stderr was. */
static bool has_somewhere_to_log(const Options *options, GError **error)
{
	if (!options->daemon || options->log_target != LOG_TARGET_STDERR)
		return true;
	error_set(error, "--log-target=stderr cannot be used with -d, which "
			 "gives up standard error; start it without -d, in "
			 "the background of a shell");
	return false;
}

/* The daemon leaves the directory that it was started in. */
static char *absolute_path(const char *path)
{
	g_autofree char *here = g_get_current_dir();

	return g_path_is_absolute(path) ? g_strdup(path)
					: g_build_filename(here, path, NULL);
}

static bool resolve(Parse *parse, Options *options, GError **error)
{
	const char *pidfile = parse->pidfile;

	if (!resolve_identity(parse, options, error) ||
	    !has_somewhere_to_log(options, error))
		return false;
	if (!pidfile && options->daemon)
		pidfile = DEFAULT_PIDFILE;
	if (pidfile)
		options->pidfile = absolute_path(pidfile);
	options->log_level = level_of(parse->verbosity);
	return true;
}

/* True where the option prints something and ends the program. */
static bool print_and_end(int option, const char *argument)
{
	if (option == 'h')
		usage_help(stdout);
	else if (option == 'V')
		usage_version(stdout);
	else if (option == 'T' && trace_wants_list(argument))
		trace_list(stdout);
	else
		return false;
	return true;
}

static OptionsVerdict parse_all(int argc, char **argv, Parse *parse,
				GError **error)
{
	int option;

	while ((option = getopt_long(argc, argv, short_options, long_options,
				     NULL)) >= 0) {
		if (option == '?') {
			usage_hint(stderr); /* getopt has said what is wrong */
			return OPTIONS_WRONG;
		}
		if (print_and_end(option, optarg))
			return OPTIONS_DONE;
		if (!set_option(parse, option, optarg, error))
			return OPTIONS_WRONG;
	}
	parse->options.devices = argv + optind;
	if (optind < argc && !parse->options.check) {
		error_set(error,
			  "unexpected argument '%s'; options are listed "
			  "by --help",
			  argv[optind]);
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}

OptionsVerdict options_parse(int argc, char **argv, Options *ret_options,
			     GError **error)
{
	Parse parse = {
		.options = {
			.socket_path = DEFAULT_SOCKET,
			.socket_mode = (mode_t)-1,
			.socket_owner = ACCOUNT_UNCHANGED,
			.socket_group = ACCOUNT_UNCHANGED,
			.user = ACCOUNT_UNCHANGED,
			.group = ACCOUNT_UNCHANGED,
			.max_clients = DEFAULT_MAX_CLIENTS,
			.command_timeout = DEFAULT_COMMAND_TIMEOUT * SECOND,
		},
	};
	OptionsVerdict verdict = parse_all(argc, argv, &parse, error);

	if (verdict != OPTIONS_RUN)
		return verdict;
	if (!resolve(&parse, &parse.options, error))
		return OPTIONS_WRONG;
	*ret_options = parse.options;
	return OPTIONS_RUN;
}

bool options_suit_activation(const Options *options, GError **error)
{
	const struct {
		bool given;
		const char *option, *setting;
	} own[] = {
		{ options->socket_given, "-k", "ListenStream" },
		{ options->socket_mode != (mode_t)-1, "--socket-mode",
		  "SocketMode" },
		{ options->socket_owner != ACCOUNT_UNCHANGED, "--socket-owner",
		  "SocketUser" },
		{ options->socket_group != ACCOUNT_UNCHANGED, "--socket-group",
		  "SocketGroup" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
		if (own[i].given) {
			error_set(error,
				  "%s cannot be used with socket activation; "
				  "set %s= in the socket unit instead",
				  own[i].option, own[i].setting);
			return false;
		}
	return true;
}
