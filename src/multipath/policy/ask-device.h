/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the device says when the helper itself asks. If there is a unit
 * attention, which our other requests may have raised, it is asked again.
 */
#ifndef MULTIPATH_ASK_DEVICE_H
#define MULTIPATH_ASK_DEVICE_H

#include "paths.h"

/* READ RESERVATION down path `i`. False: it did not say. */
bool ask_device_reservation(Multipath *m, size_t i,
			    ScsiPrReservation *ret_reservation);

/* The same down any path: those first that answered the client's command. */
bool ask_device_reservation_anywhere(Multipath *m,
				     ScsiPrReservation *ret_reservation);

/* READ KEYS down path `i`. GOOD: the key is among them, or may be, if the list
 * is cut off. CONFLICT: it is not. Else: they could not be read. */
Outcome ask_device_for_key(Multipath *m, size_t i, Send send, uint64_t key);

/* APTPL for a registration of our own. The last registration decides whether
 * the unit keeps them all when it loses power, so ours has to say again what
 * the guest's has said: as multipathd `known` it, or as REPORT CAPABILITIES
 * says, down any path and also after the deadline. */
bool ask_device_aptpl(Multipath *m, const MultipathdAnswer *known);

#endif
