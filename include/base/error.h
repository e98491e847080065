/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up errors as GError: set where the fault is, printed once, by main.
 * Every message names what, where, and (in words or by errno) why.
 */
#ifndef ERROR_H
#define ERROR_H

#include <glib.h>

/* printf format. */
void error_set(GError **error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same with ": " and what errno means. errno survives. */
void error_set_errno(GError **error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
