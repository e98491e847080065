/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same with the key 0.
 */
#ifndef MULTIPATH_UNREGISTER_H
#define MULTIPATH_UNREGISTER_H

#include "step.h"

/* Answers the command. `before`: what multipathd said of its key. */
void multipath_unregister(Multipath *m, const MultipathdAnswer *before);

#endif
