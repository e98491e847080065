/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What --json prints: the members of the one object, in qemu-pr-client(8)'s
 * order. Pure.
 */
#ifndef CLIENT_JSON_REPORT_H
#define CLIENT_JSON_REPORT_H

#include "json.h"
#include "pr-in.h"
#include "scsi/wire.h"

/* "command" and "service_action". */
void json_report_command(JsonWriter *json, const uint8_t *cdb);

/* "status" in words, "status_code", and "sense" with CHECK CONDITION. */
void json_report_outcome(JsonWriter *json, const WireReply *reply);

/* The decoded answer: "generation", then "keys", "reservation" (null where
 * there is none), "registrations" or "capabilities"; and whether it is
 * "complete". */
void json_report_answer(JsonWriter *json, const PrInAnswer *answer);

#endif
