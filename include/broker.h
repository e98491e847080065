/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second process that keeps uid 0 where the helper gives it up (-u): it has
 * no capability, sees nothing of the helper but its own socket, and executes
 * the requests of privileged.h, each in a child of its own, so that a path
 * whose open() hangs delays no other map.
 */
#ifndef BROKER_H
#define BROKER_H

#include <glib.h>
#include <stdbool.h>

#include "privileged.h"

/* Forks the broker: before privileges are dropped and before any thread
 * exists. It ends with this process. False with *error set on failure. */
bool broker_start(GError **error);

/* Says that this process executes requests itself: it stays uid 0. */
void broker_not_needed(void);

/* Executes the request: by the broker, or here. Blocks until it is done, or
 * the broker is dead (error EPIPE); any thread. Where neither of the above was
 * called: error EPERM. *ret_fd as privileged_execute(). */
void broker_call(const PrivilegedRequest *request, int map,
		 PrivilegedReply *ret_reply, int *ret_fd);

#endif
