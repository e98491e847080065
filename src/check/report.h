/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of --check share: one line for each finding, on standard
 * output.
 */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include "check/check.h"

/* One line each, printf format without a line end. The second says what is
 * wrong, then how to fix it. */
void check_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_fix(Check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
