/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "threads/fd-budget.h"

#include "testing.h"

static void test_clients(void)
{
	g_assert_cmpuint(fd_budget_clients(20000), ==, (20000 - 1536) / 2);
	g_assert_cmpuint(fd_budget_clients(4500), ==, (4500 - 1500) / 2);
	g_assert_cmpuint(fd_budget_clients(1500), ==, (1500 - 512) / 2);
	g_assert_cmpuint(fd_budget_clients(514), ==, 1);
	g_assert_cmpuint(fd_budget_clients(513), ==, 1);
	g_assert_cmpuint(fd_budget_clients(0), ==, 1);
}

/* Started as usual, by a service manager or a shell. */
static void test_table(void)
{
	g_assert_cmpuint(fd_budget_table(1024, 0), ==, 1024);
	g_assert_cmpuint(fd_budget_table(1024, 12), ==, 1024);
	g_assert_cmpuint(fd_budget_table(1024, 32 + 900), ==, 124);
	g_assert_cmpuint(fd_budget_table(1024, 2000), ==, 1);
}

static void test_messages(void)
{
	g_assert_true(fd_budget_admits(1000, 10, 20, 3));
	g_assert_true(fd_budget_admits(96 + 20 + 20 + 759, 10, 20, 3));
	g_assert_false(fd_budget_admits(96 + 20 + 20 + 758, 10, 20, 3));
	g_assert_false(fd_budget_admits(UINT_MAX, UINT_MAX, 0, 1));
}

/* All the clients that may come never leave too little for one message, nor for
 * the four threads' in a large table. */
static void test_full(void)
{
	for (unsigned int table = 514; table < 40000; table++)
		g_assert_true(fd_budget_admits(table, fd_budget_clients(table),
					       0, 1));
	for (unsigned int table = 4096; table < 40000; table++)
		g_assert_true(fd_budget_admits(table, fd_budget_clients(table),
					       0, 1 + 4));
	g_assert_false(fd_budget_admits(1500, fd_budget_clients(1500), 0, 2));
}

static void test_count(void)
{
	g_assert_cmpuint(fd_budget_messages(96 + 20 + 758, 10), ==, 2);
	g_assert_cmpuint(fd_budget_messages(96 + 20 + 759, 10), ==, 3);
	g_assert_cmpuint(fd_budget_messages(96 + 20, 10), ==, 0);
	g_assert_cmpuint(fd_budget_messages(10, UINT_MAX), ==, 0);
}

static void test_tiny(void)
{
	g_assert_true(fd_budget_admits(20, 1, 100, 1));
	g_assert_false(fd_budget_admits(513, 1, 0, 2));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fd-budget/clients", test_clients);
	g_test_add_func("/fd-budget/table", test_table);
	g_test_add_func("/fd-budget/messages", test_messages);
	g_test_add_func("/fd-budget/full", test_full);
	g_test_add_func("/fd-budget/count", test_count);
	g_test_add_func("/fd-budget/tiny", test_tiny);
	return g_test_run();
}
