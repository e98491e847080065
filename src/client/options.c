/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, read by getopt from the table in options-rules.c. What the
 * options mean together is decided in options-check.c.
 */
#include "options.h"

#include <getopt.h>
#include <string.h>

#include "exit-status.h"
#include "options-rules.h"
#include "scsi/wire.h"

/* Long options return 256 + their place in the table. */
#define LONG_BASE 256

/* Of struct option, with one of zeroes at the end. */
static GArray *long_options(void)
{
	GArray *options = g_array_new(TRUE, TRUE, sizeof(struct option));

	for (size_t i = 0; i < client_option_count; i++) {
		const OptionRule *rule = &client_option_rules[i];
		struct option option = {
			.name = rule->name,
			.has_arg = rule->kind == RULE_ARGUMENT,
			.val = LONG_BASE + (int)i,
		};

		g_array_append_val(options, option);
	}
	return options;
}

static GString *short_options(void)
{
	/* "+" is not there: options may follow DEVICE. ":" is, so that a
	 * missing argument can be told from an unknown option. */
	GString *text = g_string_new(":");

	for (size_t i = 0; i < client_option_count; i++) {
		const OptionRule *rule = &client_option_rules[i];

		if (!rule->letter)
			continue;
		g_string_append_c(text, rule->letter);
		if (rule->kind == RULE_ARGUMENT)
			g_string_append_c(text, ':');
	}
	return text;
}

/* NULL where it stands for no option. */
static const OptionRule *find_rule(int value)
{
	if (value >= LONG_BASE)
		return &client_option_rules[value - LONG_BASE];
	for (size_t i = 0; i < client_option_count; i++)
		if (client_option_rules[i].letter == value)
			return &client_option_rules[i];
	return NULL;
}

static const char *apply(const OptionRule *rule, OptionsDraft *draft,
			 const char *argument)
{
	char *member = (char *)draft + rule->offset;

	switch (rule->kind) {
	case RULE_NOTHING:
		break;
	case RULE_IN:
		draft->in_actions++;
		draft->options.service_action = rule->action;
		break;
	case RULE_OUT:
		draft->out_actions++;
		draft->options.service_action = rule->action;
		break;
	case RULE_WHAT:
		/* --help and --version win over what else is there. */
		draft->options.action =
			MAX(draft->options.action, (ClientAction)rule->action);
		break;
	case RULE_FLAG:
		*(bool *)member = true;
		break;
	case RULE_COUNT:
		++*(guint *)member;
		break;
	case RULE_ARGUMENT:
		return rule->set(draft, argument);
	}
	return NULL;
}

static bool syntax_error(GError **error, const char *format, ...)
	G_GNUC_PRINTF(2, 3);

static bool syntax_error(GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error_literal(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX, message);
	return false;
}

/* What getopt_long() stumbled over: the letter, or the word without its
 * argument. */
static char *culprit(char **argv)
{
	if (optopt > 0 && optopt < LONG_BASE)
		return g_strdup_printf("-%c", optopt);
	return g_strndup(argv[optind - 1], strcspn(argv[optind - 1], "="));
}

static bool is_match(const OptionRule *rule, const char *option)
{
	return g_str_has_prefix(rule->name, option + strlen("--"));
}

/* `option` is "--" and the beginning of names. */
static size_t count_matches(const char *option)
{
	size_t count = 0;

	for (size_t i = 0; i < client_option_count; i++)
		count += is_match(&client_option_rules[i], option);
	return count;
}

static bool ambiguity_error(const char *option, GError **error)
{
	g_autoptr(GString) names = g_string_new("");

	for (size_t i = 0; i < client_option_count; i++)
		if (is_match(&client_option_rules[i], option))
			g_string_append_printf(names, "%s--%s",
					       names->len ? ", " : "",
					       client_option_rules[i].name);
	return syntax_error(error, "option %s is ambiguous: %s", option,
			    names->str);
}

static bool getopt_error(int value, char **argv, GError **error)
{
	g_autofree char *option = culprit(argv);

	if (value == ':')
		return syntax_error(error, "option %s needs an argument",
				    option);
	if (optopt == 0 && count_matches(option) > 1)
		return ambiguity_error(option, error);
	if (optopt >= LONG_BASE)
		return syntax_error(error, "option %s takes no argument",
				    option);
	return syntax_error(error, "unknown option %s", option);
}

static bool parse_words(OptionsDraft *draft, int argc, char **argv,
			GError **error)
{
	g_autoptr(GArray) names = long_options();
	g_autoptr(GString) letters = short_options();
	const OptionRule *rule;
	const char *problem;
	int value;

	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters->str,
				    (struct option *)names->data, NULL)) !=
	       -1) {
		/* -? is what getopt says of an unknown option, too. */
		rule = find_rule(value == '?' && optopt == '?' ? 'h' : value);
		if (!rule)
			return getopt_error(value, argv, error);
		problem = apply(rule, draft, optarg);
		if (problem)
			return syntax_error(error, "--%s: '%s' %s", rule->name,
					    optarg, problem);
	}
	for (int i = optind; i < argc; i++) {
		problem = client_option_set_device(draft, argv[i]);
		if (problem)
			return syntax_error(error, "'%s' %s", argv[i], problem);
	}
	return true;
}

/* sg_persist takes --param_rk for --param-rk, and so on. */
static void replace_underscores(char *word)
{
	if (!g_str_has_prefix(word, "--"))
		return;
	for (; *word && *word != '='; word++)
		if (*word == '_')
			*word = '-';
}

bool client_options_parse(int argc, char *const *argv,
			  ClientOptions *ret_options, GError **error)
{
	OptionsDraft draft = {
		.options = {
			.socket = RUNSTATEDIR "/qemu-pr-helper.sock",
			.timeout = 60,
			.allocation_length = WIRE_DATA_MAX,
			.transport_ids = g_ptr_array_new(),
			.arguments = g_strdupv((char **)argv),
		},
	};
	/* getopt sorts this one; g_strfreev() does not mind the order. */
	char **words = draft.options.arguments;

	for (int i = 1; i < argc && strcmp(words[i], "--") != 0; i++)
		replace_underscores(words[i]);
	if (!parse_words(&draft, argc, words, error) ||
	    !client_options_check(&draft, error)) {
		client_options_deinit(&draft.options);
		return false;
	}
	*ret_options = draft.options;
	return true;
}

void client_options_deinit(ClientOptions *options)
{
	g_clear_pointer(&options->transport_ids, g_ptr_array_unref);
	g_clear_pointer(&options->arguments, g_strfreev);
}
