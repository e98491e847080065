/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What multipathd has to know while a command changes keys.
 */
#ifndef MULTIPATH_TELL_MULTIPATHD_H
#define MULTIPATH_TELL_MULTIPATHD_H

#include "paths.h"

MultipathdAnswer tell_multipathd(const Multipath *m, MultipathdVerb verb);

/* The same, if the operator has to know that it failed. `consequence` completes
 * the sentence. */
void tell_multipathd_or_warn(const Multipath *m, MultipathdVerb verb,
			     const char *consequence);

/* Gives multipathd the key, or takes it away (0). */
MultipathdResult tell_multipathd_key(const Multipath *m, uint64_t key,
				     bool aptpl);

/* Whether multipathd may have done what it did not confirm, so that it has to
 * be told the contrary. Pure. */
bool tell_multipathd_may_have_done(MultipathdResult result);

/* Takes key and status away from it, for what the device has done already. */
void tell_multipathd_to_forget(const Multipath *m);

/* Gives it the key that it had before the command. */
void tell_multipathd_old_key(const Multipath *m,
			     const MultipathdAnswer *before);

/* Refuses the command because multipathd did not do what it must. */
void tell_multipathd_refuse(const Multipath *m, MultipathdResult result);

#endif
