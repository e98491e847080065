/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REGISTER and REGISTER AND IGNORE EXISTING KEY on a map.
 */
#ifndef MULTIPATH_REGISTER_H
#define MULTIPATH_REGISTER_H

#include "step.h"

/* Answers the command. */
void multipath_register(Multipath *m);

#endif
