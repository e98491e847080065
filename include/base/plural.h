/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers in sentences: one of them has words of its own.
 */
#ifndef PLURAL_H
#define PLURAL_H

/* plural(n, "client", "clients") */
static inline const char *plural(unsigned long count, const char *one,
				 const char *many)
{
	return count == 1 ? one : many;
}

#endif
