/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Users and groups, by name or by number, as options give them.
 */
#ifndef USER_H
#define USER_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define USER_UNCHANGED ((uid_t)-1)

/* `text` is a user's name or number, given with --`option`. *ret_group is its
 * primary group, or USER_UNCHANGED for a number that belongs to no known
 * user. False with *error set where there is no such user or the number is out
 * of range. */
bool user_find(const char *option, const char *text, uid_t *ret_user,
	       gid_t *ret_group, GError **error);

bool user_find_group(const char *option, const char *text, gid_t *ret_group,
		     GError **error);

/* Whether uid 0 gives that up by becoming `user`. */
static inline bool user_leaves_root(uid_t user)
{
	return user != USER_UNCHANGED && user != 0;
}

#endif
