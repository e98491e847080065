/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "warn.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define WARN_SIZE 500

void warn_operator(const Multipath *m, const char *format, ...)
{
	char text[WARN_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	m->world->warn(m->world->data, text);
}

/* Its registration outlives the preemption of the new key. */
static void warn_old_key_text(uint64_t old_key, Outcome outcome,
			      char ret_text[WARN_SIZE])
{
	ret_text[0] = '\0';
	if (old_key)
		snprintf(ret_text, WARN_SIZE,
			 "; the device %s key 0x%" PRIx64 " for it: who fences "
			 "this host has to preempt that one too",
			 outcome == OUTCOME_UNKNOWN ? "may keep" : "keeps",
			 old_key);
}

static void warn_unreached(const Multipath *m, const Path *path,
			   Outcome outcome, uint64_t old_key)
{
	char text[WARN_SIZE];

	warn_old_key_text(old_key, outcome, text);
	warn_operator(m,
		      "path %s could not be registered (%s); multipathd does "
		      "it when the path has failed and comes back, until then "
		      "writes through it may fail%s",
		      path->is.name, path->reason, text);
}

void warn_unregistered(const Multipath *m, const Path *path, Outcome outcome,
		       uint64_t old_key)
{
	const char *name = path->is.name;

	if (outcome == OUTCOME_UNREACHED || outcome == OUTCOME_UNKNOWN)
		warn_unreached(m, path, outcome, old_key);
	else if (outcome == OUTCOME_CONFLICT)
		warn_operator(m,
			      "path %s was not registered: another host has "
			      "preempted the guest's key meanwhile, or has "
			      "reserved the device",
			      name);
	else if (outcome != OUTCOME_GOOD)
		warn_operator(m,
			      "the device refused to register path %s: writes "
			      "through it will fail; take it out of the map",
			      name);
}
