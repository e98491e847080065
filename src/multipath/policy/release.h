/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RELEASE on a map.
 */
#ifndef MULTIPATH_RELEASE_H
#define MULTIPATH_RELEASE_H

#include "step.h"

/* Answers the command. */
void multipath_release(Multipath *m);

#endif
