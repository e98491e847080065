/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the device says when the helper itself asks. A unit attention, which our
 * other requests may have raised, is asked again.
 */
#ifndef MULTIPATH_READ_H
#define MULTIPATH_READ_H

#include "step.h"

/* READ RESERVATION down path `i`. False: it did not say. */
bool multipath_read_reservation(Multipath *m, size_t i,
				ScsiPrReservation *ret_reservation);

/* The same down any path: those first that answered the client's command. */
bool multipath_read_anywhere(Multipath *m, ScsiPrReservation *ret_reservation);

/* READ KEYS down path `i`. GOOD: the key is among them, or may be, where the
 * list is cut off. CONFLICT: it is not. Else: they could not be read. */
Outcome multipath_find_key(Multipath *m, size_t i, uint64_t key);

/* APTPL for a registration of our own. The last registration decides whether
 * the unit keeps them all when it loses power, so ours has to say again what
 * the guest's has said: as multipathd `known` it, or as REPORT CAPABILITIES
 * says, down any path. */
bool multipath_keeps_registrations(Multipath *m, const MultipathdAnswer *known);

#endif
