/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent reservations on a dm-multipath map: which command goes down which
 * path in which order, and what comes of each mix of answers. To the guest the
 * map is one I_T nexus; to the device each path is one of its own. The rules
 * are in docs/MULTIPATH.md. Policy only: all I/O is behind MultipathWorld.
 */
#ifndef MULTIPATH_POLICY_H
#define MULTIPATH_POLICY_H

#include "multipath/policy/world.h"

/* Executes the command on the map, and answers it, always. */
void multipath_execute(Command *command, const MultipathWorld *world);

#endif
