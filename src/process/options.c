/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, read by getopt from the table in options-rules.c, and what
 * the options mean together.
 */
#include "process/options.h"

#include <getopt.h>
#include <string.h>

#include "base/error.h"
#include "options-rules.h"
#include "process/user.h"

/* Long options return 256 + their place in the table. */
#define LONG_BASE 256

static const OptionsRule *options_find(int value)
{
	if (value >= LONG_BASE)
		return &options_rules[value - LONG_BASE];
	for (size_t i = 0; i < options_rule_count; i++)
		if (options_rules[i].letter == value)
			return &options_rules[i];
	g_assert_not_reached();
}

static GString *options_short(void)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < options_rule_count; i++) {
		if (!options_rules[i].letter)
			continue;
		g_string_append_c(text, options_rules[i].letter);
		if (options_rules[i].argument)
			g_string_append_c(text, ':');
	}
	return text;
}

/* The option by its name, and by each abbreviation that it may claim. */
static void options_add_names(GArray *options, size_t index,
			      GStringChunk *names)
{
	const OptionsRule *rule = &options_rules[index];
	size_t length = strlen(rule->name);

	for (size_t n = rule->shortest ? rule->shortest : length; n <= length;
	     n++) {
		struct option option = {
			.name = g_string_chunk_insert_len(names, rule->name,
							  (gssize)n),
			.has_arg = rule->argument != NULL,
			.val = LONG_BASE + (int)index,
		};

		g_array_append_val(options, option);
	}
}

/* Of struct option, with one of zeroes at the end. */
static GArray *options_long(GStringChunk *names)
{
	GArray *options = g_array_new(TRUE, TRUE, sizeof(struct option));

	for (size_t i = 0; i < options_rule_count; i++)
		options_add_names(options, i, names);
	return options;
}

static OptionsVerdict options_parse_words(int argc, char **argv,
					  OptionsDraft *draft, GError **error)
{
	g_autoptr(GStringChunk) names = g_string_chunk_new(256);
	g_autoptr(GArray) long_options = options_long(names);
	g_autoptr(GString) short_options = options_short();
	int option;

	while ((option = getopt_long(argc, argv, short_options->str,
				     (const struct option *)long_options->data,
				     NULL)) >= 0) {
		if (option == '?') {
			/* getopt has said what is wrong */
			options_print_hint(stderr);
			return OPTIONS_WRONG;
		}
		if (!options_find(option)->set(draft, optarg, error))
			return OPTIONS_WRONG;
		if (draft->printed)
			return OPTIONS_DONE;
	}
	draft->options.devices = argv + optind;
	return OPTIONS_RUN;
}

/* -u alone means the user's own group too: staying in group 0 would keep what
 * dropping privileges is meant to give up. */
static bool options_resolve_identity(const OptionsDraft *draft,
				     Options *options, GError **error)
{
	if (draft->user && !user_find("user", draft->user, &options->user,
				      &options->group, error))
		return false;
	if (draft->group)
		return user_find_group("group", draft->group, &options->group,
				       error);
	if (draft->user && options->group == USER_UNCHANGED) {
		error_set(error,
			  "user '%s' is not in the user database, so its group "
			  "is unknown; give it with -g",
			  draft->user);
		return false;
	}
	return true;
}

static LogLevel options_log_level(int verbosity)
{
	if (verbosity > 0)
		return LOG_LEVEL_DEBUG;
	if (verbosity == 0)
		return LOG_LEVEL_INFO;
	return verbosity == -1 ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
}

/* Arguments that are no options are devices to check. */
static bool options_allow_devices(const Options *options, GError **error)
{
	if (!*options->devices || options->check)
		return true;
	error_set(error,
		  "unexpected argument '%s'; options are listed by --help",
		  *options->devices);
	return false;
}

/* -d ends what stderr was. */
static bool options_can_log(const Options *options, GError **error)
{
	if (!options->daemon || options->log_target != LOG_TARGET_STDERR)
		return true;
	error_set(error, "--log-target=stderr cannot be used with -d, which "
			 "gives up standard error; start it without -d, in "
			 "the background of a shell");
	return false;
}

/* The daemon leaves the directory that it was started in. */
static char *options_absolute(const char *path)
{
	g_autofree char *here = g_get_current_dir();

	return g_path_is_absolute(path) ? g_strdup(path)
					: g_build_filename(here, path, NULL);
}

static bool options_resolve(OptionsDraft *draft, Options *options,
			    GError **error)
{
	const char *pidfile = draft->pidfile;

	if (!options_allow_devices(options, error) ||
	    !options_resolve_identity(draft, options, error) ||
	    !options_can_log(options, error))
		return false;
	if (!pidfile && options->daemon)
		pidfile = DEFAULT_PIDFILE;
	if (pidfile)
		options->pidfile = options_absolute(pidfile);
	options->log_level = options_log_level(draft->verbosity);
	return true;
}

OptionsVerdict options_parse(int argc, char **argv, Options *ret_options,
			     GError **error)
{
	OptionsDraft draft = {
		.options = {
			.socket_path = DEFAULT_SOCKET,
			.socket_mode = (mode_t)-1,
			.socket_owner = USER_UNCHANGED,
			.socket_group = USER_UNCHANGED,
			.user = USER_UNCHANGED,
			.group = USER_UNCHANGED,
			.max_clients = DEFAULT_MAX_CLIENTS,
			.command_timeout_us = (gint64)DEFAULT_COMMAND_TIMEOUT_S *
					   G_USEC_PER_SEC,
		},
	};
	OptionsVerdict verdict = options_parse_words(argc, argv, &draft, error);

	if (verdict != OPTIONS_RUN)
		return verdict;
	if (!options_resolve(&draft, &draft.options, error))
		return OPTIONS_WRONG;
	*ret_options = draft.options;
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
		{ options->socket_owner != USER_UNCHANGED, "--socket-owner",
		  "SocketUser" },
		{ options->socket_group != USER_UNCHANGED, "--socket-group",
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
