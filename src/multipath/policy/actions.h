/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that every path has to get. Each answers the command.
 */
#ifndef MULTIPATH_ACTIONS_H
#define MULTIPATH_ACTIONS_H

#include "paths.h"

/* REGISTER and REGISTER AND IGNORE EXISTING KEY. */
void register_execute(Multipath *m);

/* The same with the key 0. `before`: what multipathd said of its key. */
void unregister_execute(Multipath *m, const MultipathdAnswer *before);

/* RELEASE. */
void release_execute(Multipath *m);

#endif
