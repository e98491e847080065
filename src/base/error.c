/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one domain that start-up errors need: nobody handles them but main.
 */
#include "base/error.h"

#include <errno.h>
#include <string.h>

G_GNUC_PRINTF(2, 0)
static void set(GError **error, const char *format, va_list arguments,
		const char *because)
{
	g_autofree char *what = g_strdup_vprintf(format, arguments);

	g_set_error(error, g_quark_from_static_string("start-up"), 0, "%s%s%s",
		    what, because ? ": " : "", because ? because : "");
}

void error_set(GError **error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set(error, format, arguments, NULL);
	va_end(arguments);
}

void error_set_errno(GError **error, const char *format, ...)
{
	int saved = errno;
	va_list arguments;

	va_start(arguments, format);
	set(error, format, arguments, strerror(saved));
	va_end(arguments);
	errno = saved;
}
