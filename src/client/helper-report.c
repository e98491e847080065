/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A helper's identity as text and as JSON. Names come from the helper's side,
 * so nothing in them is believed to be printable.
 */
#include "helper-report.h"

#include <string.h>

#include "print.h"

static void append_answer(GString *text, const HelperIdentity *helper)
{
	switch (helper->kind) {
	case HELPER_OWN:
		g_string_append_printf(text, "qemu-pr-helper %s answers",
				       helper->version);
		break;
	case HELPER_OTHER:
		g_string_append(text, "another helper answers, QEMU's own for "
				      "example");
		break;
	case HELPER_UNKNOWN:
		g_string_append_printf(text,
				       "a helper answers, its version is "
				       "unknown (%s)",
				       helper->reason);
		break;
	}
}

static void append_user(GString *text, const HelperIdentity *helper)
{
	if (helper->user)
		print_escaped(text, (const uint8_t *)helper->user,
			      strlen(helper->user));
	else
		g_string_append_printf(text, "%u", helper->uid);
}

void helper_report_text(GString *text, const HelperIdentity *helper)
{
	append_answer(text, helper);
	g_string_append(text, ": ");
	if (helper->pid > 0)
		g_string_append_printf(text, "pid %d, ", (int)helper->pid);
	g_string_append(text, "user ");
	append_user(text, helper);
	if (!helper->program)
		return;
	g_string_append(text, ", program ");
	print_escaped(text, (const uint8_t *)helper->program,
		      strlen(helper->program));
}

static void add_string_or_null(JsonWriter *json, const char *name,
			       const char *value)
{
	if (value)
		json_add_string(json, name, value);
	else
		json_add_null(json, name);
}

void helper_report_json(JsonWriter *json, const HelperIdentity *helper)
{
	static const char *const kinds[] = {
		[HELPER_UNKNOWN] = "unknown",
		[HELPER_OWN] = "own",
		[HELPER_OTHER] = "other",
	};

	json_begin_object(json, "helper");
	json_add_string(json, "kind", kinds[helper->kind]);
	add_string_or_null(json, "version", helper->version);
	if (helper->reason)
		json_add_string(json, "reason", helper->reason);
	if (helper->pid > 0)
		json_add_number(json, "pid", (uint32_t)helper->pid);
	else
		json_add_null(json, "pid");
	json_add_number(json, "uid", helper->uid);
	add_string_or_null(json, "user", helper->user);
	add_string_or_null(json, "program", helper->program);
	json_end_object(json);
}
