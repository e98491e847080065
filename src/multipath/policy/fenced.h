/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another host's PREEMPT while a REGISTER goes down the paths: it takes out
 * those that are registered by then, and the later ones would stay in.
 */
#ifndef MULTIPATH_FENCED_H
#define MULTIPATH_FENCED_H

#include "paths.h"

/* Whether that was so, after every path has got the key; `first` is the path
 * that got it first, and is asked. Then the others are out as well. */
bool fenced_meanwhile(Multipath *m, size_t first);

#endif
