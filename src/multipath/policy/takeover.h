/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reservation that is held through a path that is lost is taken over by
 * another; and the commands of our own which that takes, so that all paths of
 * this host stay alike.
 */
#ifndef MULTIPATH_TAKEOVER_H
#define MULTIPATH_TAKEOVER_H

#include "paths.h"

/* What this host is known to hold: by our own record or, after a restart, by
 * multipathd's, which has no type (0). `known` is what multipathd said of its
 * key before the command; NULL: it is asked now. */
Hold takeover_known_hold(const Multipath *m, const MultipathdAnswer *known);

/* Whether the reservation is the one that we know to hold. If no path that
 * answers can release it, it is held through one that is dead, or that has left
 * the map. Pure. */
bool takeover_is_held(const ScsiPrReservation *reservation, const Hold *hold);

/* REGISTER AND IGNORE EXISTING KEY down path `i`, after another path has been
 * registered. The path itself is asked for the keys first, because any other
 * may have died. Conflict, and nothing sent: the key is no longer there,
 * because another host has preempted it, and must not come in again. */
Outcome takeover_join(Multipath *m, size_t i, Send send, uint64_t key,
		      bool aptpl);

/* The same for each path but `via` that answers, of the map as it is now, also
 * after the deadline. `known`: what multipathd said of its key. */
void takeover_register_others(Multipath *m, size_t via, uint64_t key,
			      const MultipathdAnswer *known);

/* Takes our reservation over to path `i` from one that is lost, and registers
 * the others again, which the preemption of our own key has taken out, or may
 * have. GOOD, UNKNOWN, or else it is where it was. */
Outcome takeover_reservation(Multipath *m, size_t i, uint64_t key,
			     uint8_t type);

#endif
