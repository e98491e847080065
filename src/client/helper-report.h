/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What --ping prints of the helper that answers. Pure.
 */
#ifndef CLIENT_HELPER_REPORT_H
#define CLIENT_HELPER_REPORT_H

#include <glib.h>

#include "helper.h"
#include "json.h"

/* "qemu-pr-helper 0.1.0 answers: pid 812, user root, program /usr/bin/...". No
 * newline, and no control characters. */
void helper_report_text(GString *text, const HelperIdentity *helper);

/* The member "helper". */
void helper_report_json(JsonWriter *json, const HelperIdentity *helper);

#endif
