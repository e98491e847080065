/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's output as text, line for line as sg_persist prints it, so that
 * scripts which read that go on working. Pure: everything is appended to a
 * string. What a device sent reaches a terminal only as printable characters.
 */
#ifndef CLIENT_PRINT_H
#define CLIENT_PRINT_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "pr-in.h"
#include "request.h"
#include "scsi/wire.h"

/* What is there of the answer, decoded; then, if the allocation length cut a
 * list off, a line that says so. */
void print_answer(GString *text, const PrInAnswer *answer);

/* The answer's bytes, as far as the device says that they mean something.
 * `level` is how often --hex was given: 1 heads a list with its generation
 * and its length, 2 shows all bytes, 3 leaves the offsets out. */
void print_answer_hex(GString *text, const PrInAnswer *answer, guint level);

/* What --verbose shows of a request: the CDB, and from level 2 on the
 * parameter list. */
void print_request(GString *text, const ClientRequest *request, guint level);

/* "PR in (Read keys)": how sg_persist calls a command. */
void print_command_name(GString *text, const uint8_t *cdb);

/* What --verbose shows of a PERSISTENT RESERVE OUT that has succeeded, a line
 * in sg_persist's words. */
void print_success(GString *text, const uint8_t *cdb);

/* Status and sense in words, with their numbers, without a newline:
 * "Unit attention: RESERVATIONS PREEMPTED (sense 6/2a/03)". */
void print_outcome(GString *text, const WireReply *reply);

/* "Write Exclusive, registrants only": as sg_persist writes the types. */
const char *print_type_name(uint8_t type);

/* Appends text of unknown origin; control characters, what is no UTF-8 and
 * the backslash become \xNN. */
void print_escaped(GString *text, const uint8_t *bytes, size_t size);

#endif
