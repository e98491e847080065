/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fits into a table of descriptors. A client may send as many descriptors
 * as a message can bring, and where there is no room for them the kernel closes
 * them while we read, which may block. Pure.
 */
#ifndef FD_BUDGET_H
#define FD_BUDGET_H

#include <stdbool.h>

/* As many descriptors as one message can bring, the kernel's SCM_MAX_FD: with
 * room for fewer, recvmsg() itself would close the rest, which may block. */
#define FD_BUDGET_PER_MESSAGE 253

/* How much of a table of so many descriptors we have to ourselves, when so many
 * are open at the start: others may have left us some. */
unsigned int fd_budget_table(unsigned int limit, unsigned int open);

/* Fewer clients than this are hardly meant: a host starts as many guests. */
#define FD_BUDGET_FEW_CLIENTS 64

/* How many clients a table of so many descriptors can serve; at least 1. */
unsigned int fd_budget_clients(unsigned int table);

/* Whether a table of that size, with so many clients and so many other
 * descriptors that clients have caused, has room for those of so many messages.
 * A table that is too small for any has to do without, for one. */
bool fd_budget_admits(unsigned int table, unsigned int clients,
		      unsigned int others, unsigned int messages);

/* How many messages that table has room for beside so many clients. */
unsigned int fd_budget_messages(unsigned int table, unsigned int clients);

#endif
