/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each thread answers for itself.
 */
#include "base/thread.h"

#include "testing.h"

static gpointer mark(gpointer data)
{
	bool *was_main = data;

	was_main[0] = thread_is_main();
	thread_mark_worker();
	was_main[1] = thread_is_main();
	return NULL;
}

static void test_mark(void)
{
	bool was_main[2] = { false, true };

	g_assert_true(thread_is_main());
	g_thread_join(g_thread_new("worker", mark, was_main));
	g_assert_true(was_main[0]);
	g_assert_false(was_main[1]);
	g_assert_true(thread_is_main());
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/thread/mark", test_mark);
	return g_test_run();
}
