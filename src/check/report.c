/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

G_GNUC_PRINTF(2, 0)
static void print(const char *verdict, const char *format, va_list arguments)
{
	g_autofree char *text = g_strdup_vprintf(format, arguments);

	printf("%-4s %s\n", verdict, text);
	/* What comes next may block. */
	fflush(stdout);
}

void check_ok(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print("ok", format, arguments);
	va_end(arguments);
}

void check_fix(Check *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print("FIX", format, arguments);
	va_end(arguments);
	check->to_fix++;
}
