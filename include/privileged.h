/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two things about a multipath map that only uid 0 may do: to open its
 * paths' nodes, and to talk to multipathd. Executed in this process, or by the
 * broker (broker.h) in its name: hence requests of fixed size that name
 * nothing but what belongs to the map whose descriptor comes with them.
 */
#ifndef PRIVILEGED_H
#define PRIVILEGED_H

#include <stdint.h>

/* Actions: the verbs of MultipathdVerb, and this one. */
#define PRIVILEGED_OPEN_PATH 0x100

/* Native byte order: both ends are one program. */
typedef struct PrivilegedRequest {
	uint32_t action;
	uint32_t timeout;      /* milliseconds, for multipathd's answer */
	uint32_t major, minor; /* OPEN_PATH: which path */
	uint64_t key;          /* SET_KEY */
	uint32_t aptpl;        /* SET_KEY; 0 or 1 */
	uint32_t zero;
} PrivilegedRequest;

typedef struct PrivilegedReply {
	int32_t error; /* errno where the request could not be tried (EINVAL: no
			  such map or path), or what open() said; or 0 */
	uint32_t result; /* MultipathdResult */
	uint64_t key;
	uint32_t aptpl, hold;
} PrivilegedReply;

/* Executes one request about the map that `map` is a descriptor of. *ret_fd
 * becomes the opened path (O_RDONLY, caller's), or -1. May block for as long
 * as open() does; any thread. */
void privileged_execute(const PrivilegedRequest *request, int map,
			PrivilegedReply *ret_reply, int *ret_fd);

#endif
