/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a client that loops from flooding the log: so many messages per
 * interval, the rest is counted. Pure; main loop only.
 */
#ifndef RATE_LIMIT_H
#define RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct RateLimit {
	int64_t interval_us;   /* microseconds */
	unsigned int burst;    /* messages admitted in each */
	int64_t since_us;      /* start of the current interval */
	unsigned int admitted; /* in it */
	unsigned int suppressed;
} RateLimit;

/* True: write this message. False: it was counted. */
bool rate_limit_admit(RateLimit *limit, int64_t now);

/* The messages that were only counted since the last call. */
unsigned int rate_limit_take_suppressed(RateLimit *limit);

#endif
