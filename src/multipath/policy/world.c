/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "multipath/policy/world.h"

#include <glib.h>

/* SG_IO's shortest timeout and its margin, in microseconds. A path that is well
 * does not use it up. */
#define SHARE_LEAST ((int64_t)1500 * 1000)

int64_t multipath_share(int64_t left, size_t others, bool must)
{
	int64_t share = MAX(left / (int64_t)(others + 1), SHARE_LEAST);

	return must ? share : MIN(share, left);
}
