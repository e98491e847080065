/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What multipathd has to know, and what the operator hears of it.
 */
#include "key.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define WARNING_SIZE 500

MultipathdAnswer multipath_tell(const Multipath *m, MultipathdVerb verb)
{
	return m->world->tell(m->world->data, verb, 0, false);
}

static const char *const result_texts[MULTIPATHD_RESULT_COUNT] = {
	[MULTIPATHD_OK] = "multipathd agreed",
	[MULTIPATHD_FAILED] = "multipathd refused; put \"reservation_key file\""
			      " into the defaults section of "
			      "/etc/multipath.conf",
	[MULTIPATHD_ABSENT] = "multipathd cannot be reached; start it",
	[MULTIPATHD_DENIED] = "multipathd listens to uid 0 only; start the "
			      "helper as root",
	[MULTIPATHD_SILENT] = "multipathd does not answer",
	[MULTIPATHD_UNASKED] = "multipathd could not be asked; the warning "
			       "before this says why",
};

void multipath_tell_or_warn(const Multipath *m, MultipathdVerb verb,
			    const char *consequence)
{
	MultipathdAnswer answer = multipath_tell(m, verb);

	if (answer.result != MULTIPATHD_OK)
		multipath_warn(m, "%s: %s", result_texts[answer.result],
			       consequence);
}

void multipath_refuse_without_multipathd(const Multipath *m,
					 MultipathdResult result)
{
	command_refuse(m->command,
		       result == MULTIPATHD_FAILED ? FAILURE_NOT_SUPPORTED
						   : FAILURE_NO_RESOURCES,
		       "%s", result_texts[result]);
}

void multipath_warn(const Multipath *m, const char *format, ...)
{
	char text[WARNING_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	m->world->warn(m->world->data, text);
}

/* Its registration outlives the preemption of the new key. */
static void old_key_text(const Multipath *m, Outcome outcome,
			 char ret_text[WARNING_SIZE])
{
	ret_text[0] = '\0';
	if (m->old_key)
		snprintf(ret_text, WARNING_SIZE,
			 "; the device %s key 0x%" PRIx64 " for it: who fences "
			 "this host has to preempt that one too",
			 outcome == OUTCOME_UNKNOWN ? "may keep" : "keeps",
			 m->old_key);
}

static void warn_unreached(const Multipath *m, size_t i, Outcome outcome)
{
	char old_key[WARNING_SIZE];

	old_key_text(m, outcome, old_key);
	multipath_warn(m,
		       "path %s could not be registered (%s); "
		       "multipathd does it when the path has failed and "
		       "comes back, until then writes through it may fail%s",
		       m->map.paths[i].name, m->reason[i], old_key);
}

void multipath_warn_unregistered(const Multipath *m, size_t i, Outcome outcome)
{
	const char *name = m->map.paths[i].name;

	if (outcome == OUTCOME_UNREACHED || outcome == OUTCOME_UNKNOWN)
		warn_unreached(m, i, outcome);
	else if (outcome == OUTCOME_CONFLICT)
		multipath_warn(m,
			       "path %s was not registered: another host has "
			       "preempted the guest's key meanwhile, or has "
			       "reserved the device",
			       name);
	else if (outcome != OUTCOME_GOOD)
		multipath_warn(m,
			       "the device refused to register path %s: "
			       "writes through it will fail; take it out of "
			       "the map",
			       name);
}

MultipathdResult multipath_tell_key(const Multipath *m, uint64_t key,
				    bool aptpl)
{
	MultipathdVerb verb = key ? MULTIPATHD_SET_KEY : MULTIPATHD_UNSET_KEY;

	return m->world->tell(m->world->data, verb, key, aptpl).result;
}

bool multipath_may_have_done(MultipathdResult result)
{
	return result == MULTIPATHD_SILENT || result == MULTIPATHD_UNASKED;
}

void multipath_forget(const Multipath *m)
{
	static const char consequence[] =
		"it may register paths that come back";

	multipath_tell_or_warn(m, MULTIPATHD_UNSET_STATUS, consequence);
	multipath_tell_or_warn(m, MULTIPATHD_UNSET_KEY, consequence);
}

void multipath_put_back(const Multipath *m, const MultipathdAnswer *before)
{
	if (multipath_tell_key(m, before->key, before->aptpl) != MULTIPATHD_OK)
		multipath_warn(m, "multipathd could not be given the old key "
				  "again: paths that come back may carry the "
				  "wrong one; restart it");
}
