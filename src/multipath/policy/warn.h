/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator has to know although the command goes on.
 */
#ifndef MULTIPATH_WARN_H
#define MULTIPATH_WARN_H

#include "paths.h"

/* printf format. */
void warn_operator(const Multipath *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Warns of a path that could not be registered; not if `outcome` is GOOD.
 * `old_key`: by which key the device knows paths that the REGISTER did not
 * reach; 0: by the new one, or by none. */
void warn_unregistered(const Multipath *m, const Path *path, Outcome outcome,
		       uint64_t old_key);

#endif
