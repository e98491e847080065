/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of all options: what each is called and what it does to the
 * draft. The hard rule: everything about an option is in its line.
 */
#include "options-rules.h"

#include <string.h>
#include <sys/un.h>

#include "number.h"
#include "scsi/wire.h"

#define SECONDS_MAX 86400

static const char *set_socket(OptionsDraft *draft, const char *argument)
{
	if (strlen(argument) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "is longer than the path of a socket can be (107 bytes)";
	draft->options.socket = argument;
	return NULL;
}

const char *client_option_set_device(OptionsDraft *draft, const char *argument)
{
	const char *first = draft->options.device;

	/* mpathpersist's -v takes a level. */
	if (first && strspn(first, "0123456789") == strlen(first))
		return "is a second DEVICE; give only one (--verbose takes no "
		       "LEVEL)";
	if (first)
		return "is a second DEVICE; give only one";
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
		return "is not a hexadecimal number from 0 to 2000 (8192)";
	draft->options.allocation_length = (uint16_t)length;
	return NULL;
}

static const char *set_maxlen(OptionsDraft *draft, const char *argument)
{
	uint64_t length;

	if (!number_parse_size(argument, WIRE_DATA_MAX, &length))
		return "is not a number from 0 to 8192";
	draft->options.allocation_length = (uint16_t)length;
	return NULL;
}

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

const OptionRule client_option_rules[] = {
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
	/* sg_persist takes --t, and here it would be --timeout, too. */
	ARGUMENT("t", 0, set_transport_id),

	ARGUMENT("device", 'd', client_option_set_device),
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

const size_t client_option_count = G_N_ELEMENTS(client_option_rules);
