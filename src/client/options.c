/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. One table says everything about each option; what getopt
 * wants is made from it. What the options mean together is decided in
 * options-check.c.
 */
#include "client/options.h"

#include <getopt.h>
#include <string.h>
#include <sys/un.h>

#include "client/exit-status.h"
#include "client/number.h"
#include "client/options-check.h"
#include "wire.h"

#define SECONDS_MAX 86400

/* The functions that take an argument return what is wrong with it, or NULL. */

static const char *set_socket(OptionsDraft *draft, const char *argument)
{
	if (strlen(argument) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "is longer than a socket's path can be, 107 bytes";
	draft->options.socket = argument;
	return NULL;
}

static const char *set_device(OptionsDraft *draft, const char *argument)
{
	if (draft->options.device)
		return "one DEVICE is enough";
	draft->options.device = argument;
	return NULL;
}

static const char *set_timeout(OptionsDraft *draft, const char *argument)
{
	uint64_t seconds;

	if (!number_parse(argument, SECONDS_MAX, &seconds) || seconds == 0)
		return "is not a number of seconds from 1 to 86400";
	draft->options.timeout = (guint)seconds;
	return NULL;
}

static const char *set_key(uint64_t *ret_key, const char *argument)
{
	if (!number_parse_hex(argument, UINT64_MAX, ret_key))
		return "is not a hexadecimal number of at most 64 bits";
	return NULL;
}

static const char *set_rk(OptionsDraft *draft, const char *argument)
{
	return set_key(&draft->options.parameters.reservation_key, argument);
}

static const char *set_sark(OptionsDraft *draft, const char *argument)
{
	return set_key(&draft->options.parameters.service_action_key, argument);
}

static const char *set_type(OptionsDraft *draft, const char *argument)
{
	uint64_t type;

	if (!number_parse(argument, 0x0f, &type))
		return "is not a number from 0 to 15";
	draft->options.type = (uint8_t)type;
	draft->options.has_type = true;
	return NULL;
}

static const char *set_port(OptionsDraft *draft, const char *argument)
{
	uint64_t port;

	if (!number_parse_hex(argument, UINT16_MAX, &port))
		return "is not a hexadecimal number from 0 to ffff";
	draft->options.relative_target_port = (uint16_t)port;
	draft->has_port = true;
	return NULL;
}

static const char *set_transport_id(OptionsDraft *draft, const char *argument)
{
	g_ptr_array_add(draft->options.transport_ids, (gpointer)argument);
	return NULL;
}

static const char *set_alloc_length(OptionsDraft *draft, const char *argument)
{
	uint64_t length;

	if (!number_parse_hex(argument, WIRE_DATA_MAX, &length))
		return "is not a hexadecimal number from 0 to 2000, which is "
		       "8192";
	draft->options.allocation_length = (uint16_t)length;
	return NULL;
}

static const char *set_maxlen(OptionsDraft *draft, const char *argument)
{
	uint64_t length;

	if (!number_parse(argument, WIRE_DATA_MAX, &length))
		return "is not a number from 0 to 8192";
	draft->options.allocation_length = (uint16_t)length;
	return NULL;
}

typedef struct OptionRule {
	const char *name;
	char letter; /* 0: the name only */
	enum {
		RULE_NOTHING,
		RULE_IN,    /* a service action */
		RULE_OUT,   /* a service action */
		RULE_WHAT,  /* a ClientAction */
		RULE_FLAG,  /* a bool of the draft */
		RULE_COUNT, /* a guint of the draft */
		RULE_ARGUMENT,
	} kind;
	uint8_t action;
	size_t offset; /* in the draft */
	const char *(*set)(OptionsDraft *draft, const char *argument);
} OptionRule;

#define IN(name, letter, action)                                    \
	{                                                           \
		name, letter, RULE_IN, SCSI_PR_IN_##action, 0, NULL \
	}
#define OUT(name, letter, action)                                     \
	{                                                             \
		name, letter, RULE_OUT, SCSI_PR_OUT_##action, 0, NULL \
	}
#define WHAT(name, letter, action)                                       \
	{                                                                \
		name, letter, RULE_WHAT, CLIENT_ACTION_##action, 0, NULL \
	}
#define FLAG(name, letter, member)                                          \
	{                                                                   \
		name, letter, RULE_FLAG, 0, offsetof(OptionsDraft, member), \
			NULL                                                \
	}
#define COUNT(name, letter, member)                                          \
	{                                                                    \
		name, letter, RULE_COUNT, 0, offsetof(OptionsDraft, member), \
			NULL                                                 \
	}
#define ARGUMENT(name, letter, set)                    \
	{                                              \
		name, letter, RULE_ARGUMENT, 0, 0, set \
	}

static const OptionRule rules[] = {
	FLAG("in", 'i', in),
	IN("read-keys", 'k', READ_KEYS),
	IN("read-reservation", 'r', READ_RESERVATION),
	IN("report-capabilities", 'c', REPORT_CAPABILITIES),
	IN("read-full-status", 's', READ_FULL_STATUS),
	IN("read-status", 0, READ_FULL_STATUS),
	ARGUMENT("alloc-length", 'l', set_alloc_length),
	ARGUMENT("maxlen", 'm', set_maxlen),

	FLAG("out", 'o', out),
	OUT("register", 'G', REGISTER),
	OUT("register-ignore", 'I', REGISTER_AND_IGNORE_EXISTING_KEY),
	OUT("reserve", 'R', RESERVE),
	OUT("release", 'L', RELEASE),
	OUT("clear", 'C', CLEAR),
	OUT("preempt", 'P', PREEMPT),
	OUT("preempt-abort", 'A', PREEMPT_AND_ABORT),
	OUT("register-move", 'M', REGISTER_AND_MOVE),
	OUT("replace-lost", 'z', REPLACE_LOST_RESERVATION),
	ARGUMENT("param-rk", 'K', set_rk),
	ARGUMENT("param-sark", 'S', set_sark),
	ARGUMENT("prout-type", 'T', set_type),
	ARGUMENT("transport-id", 'X', set_transport_id),
	ARGUMENT("relative-target-port", 'Q', set_port),
	FLAG("param-aptpl", 'Z', options.parameters.aptpl),
	FLAG("param-alltgpt", 'Y', options.parameters.all_tg_pt),
	FLAG("param-unreg", 'U', options.parameters.unreg),
	FLAG("unreg", 0, options.parameters.unreg),

	ARGUMENT("device", 'd', set_device),
	COUNT("readonly", 'y', options.readonly),
	{ "no-inquiry", 'n', RULE_NOTHING },
	ARGUMENT("socket", 'u', set_socket),
	ARGUMENT("timeout", 't', set_timeout),
	WHAT("ping", 'p', PING),
	COUNT("hex", 'H', options.hex),
	FLAG("json", 'j', options.json),
	COUNT("verbose", 'v', options.verbose),
	WHAT("help", 'h', HELP),
	WHAT("version", 'V', VERSION),
};

/* Long options return 256 + their place in the table. */
#define LONG_BASE 256

static void fill_long_options(struct option *options)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		options[i] = (struct option) {
			.name = rules[i].name,
			.has_arg = rules[i].kind == RULE_ARGUMENT,
			.val = LONG_BASE + (int)i,
		};
}

static GString *short_options(void)
{
	/* "+" is not there: options may follow DEVICE. ":" is, so that a
	 * missing argument can be told from an unknown option. */
	GString *text = g_string_new(":");

	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
		if (!rules[i].letter)
			continue;
		g_string_append_c(text, rules[i].letter);
		if (rules[i].kind == RULE_ARGUMENT)
			g_string_append_c(text, ':');
	}
	return text;
}

/* NULL where it stands for no option. */
static const OptionRule *find_rule(int value)
{
	if (value >= LONG_BASE)
		return &rules[value - LONG_BASE];
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		if (rules[i].letter == value)
			return &rules[i];
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

/* What getopt_long() stumbled over: the word, or the letter in a word. */
static bool getopt_error(int value, char **argv, GError **error)
{
	const char *what = value == ':' ? "needs an argument" : "is no option";

	if (optopt > 0 && optopt < LONG_BASE)
		return syntax_error(error, "-%c: %s", optopt, what);
	if (value == '?' && optopt >= LONG_BASE)
		what = "takes no argument";
	return syntax_error(error, "%s: %s", argv[optind - 1], what);
}

static bool parse_words(OptionsDraft *draft, int argc, char **argv,
			GError **error)
{
	struct option long_options[G_N_ELEMENTS(rules) + 1] = { 0 };
	g_autoptr(GString) letters = short_options();
	const OptionRule *rule;
	const char *problem;
	int value;

	fill_long_options(long_options);
	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters->str, long_options,
				    NULL)) != -1) {
		rule = find_rule(value);
		if (!rule)
			return getopt_error(value, argv, error);
		problem = apply(rule, draft, optarg);
		if (problem)
			return syntax_error(error, "--%s: '%s': %s", rule->name,
					    optarg, problem);
	}
	for (int i = optind; i < argc; i++) {
		problem = set_device(draft, argv[i]);
		if (problem)
			return syntax_error(error, "%s: %s", argv[i], problem);
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
