/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel takes from a process for good, beyond privileges: files
 * (Landlock) and system calls (seccomp). For the broker, and fitted to it.
 */
#ifndef MULTIPATH_CONFINE_H
#define MULTIPATH_CONFINE_H

#include <glib.h>
#include <stdbool.h>

/* What could be taken; not every kernel can do both. */
typedef struct Confinement {
	bool files; /* reads below /dev and /sys only, changes nothing */
	bool calls; /* makes only the system calls that the broker needs */
} Confinement;

/* Confines the calling thread and its children to come. no_new_privs must be
 * set. What the kernel is able to do has been tried out afterwards. False with
 * *error set where something that it is able to do has failed. */
bool confine(Confinement *ret_done, GError **error);

#endif
