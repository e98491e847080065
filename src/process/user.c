/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names win over numbers, as in chown(1). The hard rule: 4294967295 means
 * "leave as it is" to the kernel, so it is never a user or a group here.
 */
#include "process/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/error.h"

static bool number_get(const char *text, unsigned int *ret_number)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(text, 10, 0, (guint32)-2, &number,
					NULL))
		return false;
	*ret_number = (unsigned int)number;
	return true;
}

static void refuse(const char *option, const char *text, const char *what,
		   GError **error)
{
	error_set(error,
		  "--%s='%s': there is no such %s; create it, or give another "
		  "by name or number",
		  option, text, what);
}

bool user_find(const char *option, const char *text, uid_t *ret_user,
	       gid_t *ret_group, GError **error)
{
	const struct passwd *entry = getpwnam(text);
	uid_t number;

	if (!entry && number_get(text, &number)) {
		*ret_user = number;
		*ret_group = USER_UNCHANGED;
		entry = getpwuid(number);
		if (!entry)
			return true;
	}
	if (!entry) {
		refuse(option, text, "user", error);
		return false;
	}
	*ret_user = entry->pw_uid;
	*ret_group = entry->pw_gid;
	return true;
}

bool user_find_group(const char *option, const char *text, gid_t *ret_group,
		     GError **error)
{
	const struct group *entry = getgrnam(text);

	if (entry) {
		*ret_group = entry->gr_gid;
		return true;
	}
	if (number_get(text, ret_group))
		return true;
	refuse(option, text, "group", error);
	return false;
}
