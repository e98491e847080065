/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator reads at 3 a.m.: which virtual machine, which device,
 * which command, what the device said. One record per command, with journal
 * fields (docs/LOGGING.md). Main loop only; rate-limited.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "base/rate-limit.h"
#include "device/command.h"

/* How much one client may cause to be written: a client that loops must not
 * silence the others. Zeroed at first. */
typedef struct AuditLimit {
	RateLimit rate;
	unsigned int timer; /* tells what was suppressed */
} AuditLimit;

/* Tells it now. The limit ends. */
void audit_limit_clear(AuditLimit *limit);

/* An answered command, within its client's limit (NULL: the client has gone):
 * PERSISTENT RESERVE OUT, conflicts and refusals at level info or above, the
 * rest at debug. */
void audit_command(const Command *command, AuditLimit *limit);

/* Whether audit_command() would write something, but for the rate limit. Any
 * thread. */
bool audit_wants(const Command *command);

/* A command that was given up came back from the kernel. */
void audit_late(const Command *command);

/* A client's connection ended by its own fault, or was not admitted; `what`
 * completes the sentence "client pid ... ". */
void audit_peer(const Peer *peer, const char *what);

#endif
