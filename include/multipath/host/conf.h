/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one setting of multipath.conf that reservations depend on. Pure.
 */
#ifndef MULTIPATH_CONF_H
#define MULTIPATH_CONF_H

/* The reservation key that `text`, in multipath.conf's form as multipathd
 * prints it (one setting a line), gives the map of this WWID: "file", a
 * number, or NULL for none. The caller's. */
char *multipath_conf_reservation_key(const char *text, const char *wwid);

#endif
