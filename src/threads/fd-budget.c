/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "threads/fd-budget.h"

#include <glib.h>
#include <stdint.h>

/* Our own, and those of them that are open at the start. */
#define OWN          96
#define OWN_AT_START 32

/* Each client has its socket and the descriptor of its command. */
#define CLIENT 2

/* Kept back: a part of the table, within limits. The lower one has room for our
 * own and one message, the upper one for a message of each thread that may stay
 * with a client, as well. */
#define RESERVED_PART 3
#define RESERVED_MIN  512
#define RESERVED_MAX  1536

static bool is_tiny(unsigned int table)
{
	return table < RESERVED_MIN + CLIENT;
}

unsigned int fd_budget_table(unsigned int limit, unsigned int open)
{
	unsigned int inherited = open > OWN_AT_START ? open - OWN_AT_START : 0;

	return inherited < limit ? limit - inherited : 1;
}

unsigned int fd_budget_clients(unsigned int table)
{
	unsigned int reserved =
		CLAMP(table / RESERVED_PART, RESERVED_MIN, RESERVED_MAX);
	unsigned int clients = is_tiny(table) ? 1 : (table - reserved) / CLIENT;

	/* All of them can come, and one of them can still send. */
	g_assert(clients >= 1 && fd_budget_admits(table, clients, 0, 1));
	return clients;
}

bool fd_budget_admits(unsigned int table, unsigned int clients,
		      unsigned int others, unsigned int messages)
{
	if (is_tiny(table))
		return messages <= 1;
	return OWN + (uint64_t)CLIENT * clients + others +
		       messages * FD_BUDGET_PER_MESSAGE <=
	       table;
}

unsigned int fd_budget_messages(unsigned int table, unsigned int clients)
{
	uint64_t taken = OWN + (uint64_t)CLIENT * clients;

	return taken < table
		       ? (unsigned int)((table - taken) / FD_BUDGET_PER_MESSAGE)
		       : 0;
}
