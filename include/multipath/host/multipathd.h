/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few words spoken with multipathd: which key a path that comes back must
 * carry before it carries I/O. It listens to uid 0 only.
 *
 * A request is one connection: a size_t in native order, which is the length
 * of the text with its NUL, and the text; the reply has the same form.
 */
#ifndef MULTIPATH_MULTIPATHD_H
#define MULTIPATH_MULTIPATHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum MultipathdVerb {
	MULTIPATHD_GET_KEY,      /* getprkey */
	MULTIPATHD_SET_KEY,      /* setprkey */
	MULTIPATHD_UNSET_KEY,    /* unsetprkey */
	MULTIPATHD_SET_STATUS,   /* setprstatus: paths are to be registered */
	MULTIPATHD_UNSET_STATUS, /* unsetprstatus */
	MULTIPATHD_GET_HOLD,     /* getprhold; these three since 0.13 */
	MULTIPATHD_SET_HOLD,     /* setprhold: this host has the reservation */
	MULTIPATHD_UNSET_HOLD,   /* unsetprhold */
	MULTIPATHD_VERB_COUNT,
} MultipathdVerb;

typedef enum MultipathdResult {
	MULTIPATHD_OK,
	MULTIPATHD_FAILED,  /* it said no: "fail", or does not know the verb */
	MULTIPATHD_ABSENT,  /* nobody listens */
	MULTIPATHD_DENIED,  /* it listens to uid 0 only */
	MULTIPATHD_SILENT,  /* no whole answer within the timeout, or it closed
			       the connection: it may have done it or not */
	MULTIPATHD_UNASKED, /* the question may not have come to it */
	MULTIPATHD_RESULT_COUNT,
} MultipathdResult;

typedef struct MultipathdAnswer {
	MultipathdResult result;
	uint64_t key; /* of GET_KEY; 0: none. Reservation keys are numbers here,
			 as sg_persist writes them, not bytes. */
	bool aptpl;   /* of GET_KEY */
	bool hold;    /* of GET_HOLD */
} MultipathdAnswer;

/* What a reply's text means, `size` bytes with the NUL: OK, FAILED or DENIED.
 * Pure. */
MultipathdAnswer multipathd_parse(MultipathdVerb verb, const char *text,
				  size_t size);

/* Asks about the map of this name ("dm-3"). `key` and `aptpl` are SET_KEY's.
 * Waits at most `timeout_ms` milliseconds. Any thread. */
MultipathdAnswer multipathd_ask(MultipathdVerb verb, const char *map,
				uint64_t key, bool aptpl, int timeout_ms);

/* What it goes by, in the form of multipath.conf; *ret_text is the caller's.
 * Any user may ask. Waits as multipathd_ask() does. */
MultipathdResult multipathd_configuration(int timeout_ms, char **ret_text);

#endif
