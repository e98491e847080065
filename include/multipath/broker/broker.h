/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second process that keeps uid 0 where the helper gives it up (-u): it has
 * no capability, sees nothing of the helper but its own socket, and executes
 * the requests of privileged.h, each in a child of its own, so that a path
 * whose open() hangs delays no other map.
 */
#ifndef MULTIPATH_BROKER_H
#define MULTIPATH_BROKER_H

#include <glib.h>
#include <stdbool.h>

#include "multipath/broker/privileged.h"

/* Forks the broker: before privileges are dropped and before any thread
 * exists. It ends with this process. False with *error set on failure. */
bool broker_start(GError **error);

/* Takes a socket that somebody serves as broker-server.h says; for tests. */
void broker_use(int socket);

/* Ends the broker, if there is one; else it would wait for threads of this
 * process that hang in the kernel. */
void broker_stop(void);

/* Says that this process executes requests itself: it stays uid 0. */
void broker_not_needed(void);

/* Says that broker_start() failed, and why. */
void broker_not_started(const char *reason);

/* Whether anybody executes requests: the broker, though it may have died, or
 * this process. Constant once threads exist. */
bool broker_is_available(void);

/* Why nobody executes requests: a sentence for the log. */
const char *broker_refusal(void);

/* Executes the request: by the broker, or here. Blocks until it is done,
 * the broker is dead (error EPIPE) or, where there is one, a second longer than
 * the request's timeout (ETIMEDOUT: it may be done yet); any thread. Further
 * errors: EAGAIN, too many requests are under way; EPROTO, the broker has
 * answered nonsense; those of socketpair() and sendmsg(). Where none of the
 * above was called: EOPNOTSUPP. *ret_fd as privileged_execute(). */
void broker_call(const PrivilegedRequest *request, int map,
		 PrivilegedReply *ret_reply, int *ret_fd);

#endif
