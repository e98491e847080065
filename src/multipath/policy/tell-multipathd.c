/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tell-multipathd.h"

#include "warn.h"

MultipathdAnswer tell_multipathd(const Multipath *m, MultipathdVerb verb)
{
	return m->world->tell(m->world->data, verb, 0, false);
}

static const char *const tell_multipathd_texts[MULTIPATHD_RESULT_COUNT] = {
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

void tell_multipathd_or_warn(const Multipath *m, MultipathdVerb verb,
			     const char *consequence)
{
	MultipathdAnswer answer = tell_multipathd(m, verb);

	if (answer.result != MULTIPATHD_OK)
		warn_operator(m, "%s: %s", tell_multipathd_texts[answer.result],
			      consequence);
}

MultipathdResult tell_multipathd_key(const Multipath *m, uint64_t key,
				     bool aptpl)
{
	MultipathdVerb verb = key ? MULTIPATHD_SET_KEY : MULTIPATHD_UNSET_KEY;

	return m->world->tell(m->world->data, verb, key, aptpl).result;
}

bool tell_multipathd_may_have_done(MultipathdResult result)
{
	return result == MULTIPATHD_SILENT || result == MULTIPATHD_UNASKED;
}

void tell_multipathd_to_forget(const Multipath *m)
{
	static const char consequence[] =
		"it may register paths that come back";

	tell_multipathd_or_warn(m, MULTIPATHD_UNSET_STATUS, consequence);
	tell_multipathd_or_warn(m, MULTIPATHD_UNSET_KEY, consequence);
}

void tell_multipathd_old_key(const Multipath *m, const MultipathdAnswer *before)
{
	if (tell_multipathd_key(m, before->key, before->aptpl) != MULTIPATHD_OK)
		warn_operator(m, "multipathd could not be given the old key "
				 "again: paths that come back may carry the "
				 "wrong one; restart it");
}

void tell_multipathd_refuse(const Multipath *m, MultipathdResult result)
{
	command_refuse(m->command,
		       result == MULTIPATHD_FAILED ? FAILURE_NOT_SUPPORTED
						   : FAILURE_NO_RESOURCES,
		       "%s", tell_multipathd_texts[result]);
}
