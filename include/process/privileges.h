/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up what the helper does not need, and proving that it is gone. Before
 * any thread exists: capabilities belong to threads.
 */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Privileges {
	uid_t user;            /* to become, or -1: stay */
	gid_t group;           /* to become, or -1: stay */
	uint64_t capabilities; /* to keep: bit N is capability N */
} Privileges;

/* Whether the capabilities are there that are to be kept. False with *error set
 * where one is not. */
bool privileges_suffice(uint64_t capabilities, GError **error);

/* Afterwards: no capability but these is permitted or effective, none is
 * inheritable or ambient; the bounding set is empty (or, where the process was
 * started without the right to change it, within these); no supplementary
 * group; no new privileges through exec. Verified by asking the kernel. False
 * with *error set where any of this does not hold. */
bool privileges_drop(const Privileges *privileges, GError **error);

/* The same for a process that stays the user it is and keeps no capability in
 * any set, the bounding set included, whoever started it. */
bool privileges_drop_all(GError **error);

#endif
