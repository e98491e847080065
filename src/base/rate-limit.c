/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A counter per interval: simple enough to be explained in the manual.
 */
#include "base/rate-limit.h"

bool rate_limit_admit(RateLimit *limit, int64_t now)
{
	if (limit->since_us == 0 ||
	    now - limit->since_us >= limit->interval_us) {
		limit->since_us = now;
		limit->admitted = 0;
	}
	if (limit->admitted >= limit->burst) {
		limit->suppressed++;
		return false;
	}
	limit->admitted++;
	return true;
}

unsigned int rate_limit_take_suppressed(RateLimit *limit)
{
	unsigned int suppressed = limit->suppressed;

	limit->suppressed = 0;
	return suppressed;
}
