/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the start does and --check tries out: the same code, so that --check
 * promises nothing that the start does not keep.
 */
#ifndef SERVE_START_H
#define SERVE_START_H

#include <glib.h>
#include <stdbool.h>

#include "process/options.h"

/* Gives up everything but what the back ends need, for good. Before the first
 * thread. False with *error set. */
bool start_drop_privileges(const Options *options, GError **error);

typedef struct StartCapacity {
	unsigned int files;   /* that may be open */
	unsigned int table;   /* of them, for clients and their commands */
	unsigned int clients; /* for which that is enough */
} StartCapacity;

/* Raises the limit on open files as far as it goes. */
StartCapacity start_capacity(void);

#endif
