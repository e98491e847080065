/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two things about a multipath map that only uid 0 may do: to open its
 * paths' nodes, and to talk to multipathd. Executed in this process, or by the
 * broker (broker.h) in its name: hence requests of fixed size that name
 * nothing but what belongs to the map whose descriptor comes with them.
 */
#ifndef MULTIPATH_PRIVILEGED_H
#define MULTIPATH_PRIVILEGED_H

#include <stdint.h>

#include "multipath/host/multipathd.h"

/* Actions: the verbs of MultipathdVerb, and this one. */
#define PRIVILEGED_OPEN_PATH 0x100

/* Longest timeout, in milliseconds; no command may take longer. */
#define PRIVILEGED_TIMEOUT_MAX_MS (3600 * 1000)

/* Native byte order: both ends are one program. */
typedef struct PrivilegedRequest {
	uint32_t action;
	uint32_t timeout_ms;   /* milliseconds, for multipathd's answer; of
			       OPEN_PATH only the broker's caller keeps it */
	uint32_t major, minor; /* OPEN_PATH: which path */
	uint64_t key;          /* SET_KEY; not 0 */
	uint32_t aptpl;        /* SET_KEY; 0 or 1 */
	uint32_t zero;
} PrivilegedRequest;

typedef struct PrivilegedReply {
	/* 0, or errno where the request could not be tried. EINVAL: a wrong
	 * field, or no map, or none of its paths. EACCES: the descriptor is
	 * open for reading only, and the action changes something. Of
	 * OPEN_PATH: what open() said; ENODEV: the node is another device's. */
	int32_t error;
	uint32_t result; /* MultipathdResult */
	uint64_t key;
	uint32_t aptpl, hold;
} PrivilegedReply;

/* What multipathd said; DENIED: nobody of uid 0 could ask it (EOPNOTSUPP, see
 * broker_call()); UNASKED: any other error. Pure. */
MultipathdAnswer privileged_answer(const PrivilegedReply *reply);

/* Executes one request about the map that `map` is a descriptor of, which is
 * the proof of access: opened properly, not with O_PATH. *ret_fd becomes the
 * opened path (O_RDONLY, caller's), or -1. May block for as long as open()
 * does; any thread. */
void privileged_execute(const PrivilegedRequest *request, int map,
			PrivilegedReply *ret_reply, int *ret_fd);

/* The same with other directories than "/sys" and "/dev"; for tests. */
void privileged_execute_in(const char *sysfs, const char *dev,
			   const PrivilegedRequest *request, int map,
			   PrivilegedReply *ret_reply, int *ret_fd);

#endif
