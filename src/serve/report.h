/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator reads at 3 a.m.: which virtual machine, which device,
 * which command, what the device said. One record per command, with journal
 * fields (docs/LOGGING.md). Main loop only; rate-limited.
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/rate-limit.h"
#include "device/command.h"

/* How much one client may cause to be written: a client that loops must not
 * silence the others. Zeroed at first. */
typedef struct ReportLimit {
	RateLimit rate;
	unsigned int timer; /* tells what was suppressed */
} ReportLimit;

/* Tells it now. The limit ends. */
void report_limit_clear(ReportLimit *limit);

/* An answered command, within its client's limit (NULL: the client has gone):
 * PERSISTENT RESERVE OUT, conflicts and refusals at level info or above, the
 * rest at debug. */
void report_command(const Command *command, ReportLimit *limit);

/* Whether report_command() would write something, but for the rate limit. Any
 * thread. */
bool report_wants(const Command *command);

/* A command that was given up came back from the kernel. */
void report_late(const Command *command);

/* A client's connection ended by its own fault, or was not admitted; `what`
 * completes the sentence "client pid ... ". */
void report_peer(const Peer *peer, const char *what);

#endif
