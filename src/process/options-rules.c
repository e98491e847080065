/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of all options: those of the helper that this one replaces, by
 * the same letters, and a few long ones of our own. The hard rule: everything
 * about an option is in its line.
 */
#include "options-rules.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/trace.h"
#include "process/user.h"

static bool options_number(const char *option, const char *text,
			   unsigned int base, guint64 min, guint64 max,
			   guint64 *ret_number, GError **error)
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

static bool options_set_mode(OptionsDraft *draft, const char *text,
			     GError **error)
{
	guint64 mode;

	if (!options_number("socket-mode", text, 8, 0, 0777, &mode, error))
		return false;
	draft->options.socket_mode = (mode_t)mode;
	return true;
}

static bool options_set_timeout(OptionsDraft *draft, const char *text,
				GError **error)
{
	guint64 seconds;

	if (!options_number("command-timeout", text, 10, 1, 3600, &seconds,
			    error))
		return false;
	draft->options.command_timeout_us = (gint64)seconds * G_USEC_PER_SEC;
	return true;
}

static bool options_set_max_clients(OptionsDraft *draft, const char *text,
				    GError **error)
{
	guint64 clients;

	if (!options_number("max-clients", text, 10, 1, 1000000, &clients,
			    error))
		return false;
	draft->options.max_clients = (unsigned int)clients;
	draft->options.max_clients_given = true;
	return true;
}

static bool options_set_log_target(OptionsDraft *draft, const char *text,
				   GError **error)
{
	static const char *const names[] = {
		[LOG_TARGET_AUTO] = "auto",
		[LOG_TARGET_JOURNAL] = "journal",
		[LOG_TARGET_SYSLOG] = "syslog",
		[LOG_TARGET_STDERR] = "stderr",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(text, names[i]) == 0) {
			draft->options.log_target = (LogTarget)i;
			return true;
		}
	error_set(error,
		  "--log-target='%s' is not auto, journal, syslog or stderr",
		  text);
	return false;
}

static bool options_set_socket(OptionsDraft *draft, const char *path,
			       GError **error)
{
	if (!g_path_is_absolute(path)) {
		error_set(error, "socket path must be absolute, not '%s'",
			  path);
		return false;
	}
	draft->options.socket_path = path;
	draft->options.socket_given = true;
	return true;
}

static bool options_set_pidfile(OptionsDraft *draft, const char *path,
				GError **error)
{
	if (!*path) {
		error_set(error, "the path of the PID file is empty; give one "
				 "with -f");
		return false;
	}
	draft->pidfile = path;
	return true;
}

static bool options_help(OptionsDraft *draft, const char *argument,
			 GError **error)
{
	(void)argument;
	(void)error;
	options_print_help(stdout);
	draft->printed = true;
	return true;
}

static bool options_version(OptionsDraft *draft, const char *argument,
			    GError **error)
{
	(void)argument;
	(void)error;
	options_print_version(stdout);
	draft->printed = true;
	return true;
}

static bool options_daemon(OptionsDraft *draft, const char *argument,
			   GError **error)
{
	(void)argument;
	(void)error;
	draft->options.daemon = true;
	return true;
}

static bool options_quiet(OptionsDraft *draft, const char *argument,
			  GError **error)
{
	(void)argument;
	(void)error;
	draft->verbosity--;
	return true;
}

static bool options_verbose(OptionsDraft *draft, const char *argument,
			    GError **error)
{
	(void)argument;
	(void)error;
	draft->verbosity++;
	return true;
}

static bool options_check(OptionsDraft *draft, const char *argument,
			  GError **error)
{
	(void)argument;
	(void)error;
	draft->options.check = true;
	return true;
}

static bool options_set_owner(OptionsDraft *draft, const char *argument,
			      GError **error)
{
	gid_t primary;

	return user_find("socket-owner", argument, &draft->options.socket_owner,
			 &primary, error);
}

static bool options_set_socket_group(OptionsDraft *draft, const char *argument,
				     GError **error)
{
	return user_find_group("socket-group", argument,
			       &draft->options.socket_group, error);
}

static bool options_set_user(OptionsDraft *draft, const char *argument,
			     GError **error)
{
	(void)error;
	draft->user = argument;
	return true;
}

static bool options_set_group(OptionsDraft *draft, const char *argument,
			      GError **error)
{
	(void)error;
	draft->group = argument;
	return true;
}

static bool options_set_trace(OptionsDraft *draft, const char *argument,
			      GError **error)
{
	if (!trace_wants_list(argument))
		return trace_option(argument, error);
	trace_list(stdout);
	draft->printed = true;
	return true;
}

const OptionsRule options_rules[] = {
	{ "help", 'h', 0, NULL, "show this help and exit", options_help },
	{ "version", 'V', 0, NULL, "show the version and exit",
	  options_version },
	{ "daemon", 'd', 0, NULL, "run in the background", options_daemon },
	{ "pidfile", 'f', 0, "PATH",
	  "write the process ID to PATH; with -d the\n"
	  "default is " DEFAULT_PIDFILE,
	  options_set_pidfile },
	/* Among QEMU's options --s is a unique abbreviation, which our own that
	 * begin alike must not take away. */
	{ "socket", 'k', 1, "PATH",
	  "listen on this Unix socket, an absolute path\n"
	  "(" DEFAULT_SOCKET ")",
	  options_set_socket },
	{ "user", 'u', 0, "USER", "run as this user, by name or number",
	  options_set_user },
	{ "group", 'g', 0, "GROUP", "run as this group", options_set_group },
	{ "quiet", 'q', 0, NULL, "log only warnings and errors",
	  options_quiet },
	{ "verbose", 'v', 0, NULL, "log every command", options_verbose },
	{ "trace", 'T', 0, "[[enable=]PATTERN][,events=FILE][,file=FILE]",
	  "switch trace points on; -T help lists them", options_set_trace },
	{ "socket-mode", 0, 0, "MODE", NULL, options_set_mode },
	{ "socket-owner", 0, 0, "USER", NULL, options_set_owner },
	{ "socket-group", 0, 0, "GROUP", "permissions of the socket",
	  options_set_socket_group },
	{ "command-timeout", 0, 0, "SECONDS",
	  "answer each command within this time "
	  "(" G_STRINGIFY(DEFAULT_COMMAND_TIMEOUT_S) ")",
	  options_set_timeout },
	{ "max-clients", 0, 0, "N",
	  "serve at most so many clients "
	  "(" G_STRINGIFY(DEFAULT_MAX_CLIENTS) ")",
	  options_set_max_clients },
	{ "log-target", 0, 0, "auto|journal|syslog|stderr", "where to log",
	  options_set_log_target },
	{ "check", 0, 0, NULL,
	  "serve nobody; say whether this host, and each\n"
	  "DEVICE, is ready, and what to fix if not",
	  options_check },
};

const size_t options_rule_count = G_N_ELEMENTS(options_rules);
