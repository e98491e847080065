/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What multipathd has to know while a command changes keys, and what the
 * operator hears of it.
 */
#ifndef MULTIPATH_KEY_H
#define MULTIPATH_KEY_H

#include "step.h"

MultipathdAnswer multipath_tell(const Multipath *m, MultipathdVerb verb);

/* The same, where the operator has to know if it fails. `consequence`
 * completes the sentence. */
void multipath_tell_or_warn(const Multipath *m, MultipathdVerb verb,
			    const char *consequence);

/* Refuses the command because multipathd did not do what it must. */
void multipath_refuse_without_multipathd(const Multipath *m,
					 MultipathdResult result);

/* Gives multipathd the key, or takes it away (0). */
MultipathdResult multipath_tell_key(const Multipath *m, uint64_t key,
				    bool aptpl);

/* Whether it has to be told the contrary: it may have done what it did not say.
 * Pure. */
bool multipath_may_have_done(MultipathdResult result);

/* Takes key and status away from it, for what the device has done already. */
void multipath_forget(const Multipath *m);

/* Gives it the key that it had before the command. */
void multipath_put_back(const Multipath *m, const MultipathdAnswer *before);

/* Tells of a path that could not be registered; nothing where it could. */
void multipath_warn_unregistered(const Multipath *m, size_t i, Outcome outcome);

/* printf format. */
void multipath_warn(const Multipath *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
