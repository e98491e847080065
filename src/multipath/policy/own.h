/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the helper's own, beside the client's, that keep all paths of
 * this host alike; and what it is known to hold.
 */
#ifndef MULTIPATH_OWN_H
#define MULTIPATH_OWN_H

#include "step.h"

/* What this host is known to hold: by our own record or, after a restart, by
 * multipathd's, which has no type (0). `known` is what multipathd said of its
 * key before the command; NULL: it is asked now. */
Hold multipath_known_hold(const Multipath *m, const MultipathdAnswer *known);

/* Whether the reservation is the one that we know to hold. Where no path that
 * answers can release it, it is held through one that is dead, or that has left
 * the map. Pure. */
bool multipath_is_by(const ScsiPrReservation *reservation, const Hold *hold);

/* REGISTER AND IGNORE EXISTING KEY down path `i`, where another path has been
 * registered. The path itself is asked for the keys first, because any other
 * may have died. Conflict, and nothing sent: the key is no longer there,
 * because another host has preempted it, and must not come in again. */
Outcome multipath_join(Multipath *m, size_t i, uint64_t key, bool aptpl);

/* The same for each path but `via` that answers, of the map as it is now.
 * `known`: what multipathd said of its key. */
void multipath_register_others(Multipath *m, size_t via, uint64_t key,
			       const MultipathdAnswer *known);

/* Takes our reservation over to path `i` from one that is lost, and registers
 * the others again, which the preemption of our own key has taken out, or may
 * have. GOOD, UNKNOWN, or else it is where it was. */
Outcome multipath_take_over(Multipath *m, size_t i, uint64_t key, uint8_t type);

#endif
