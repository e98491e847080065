/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of each map is its own.
 */
#include "multipath/host/map-record.h"

#include "testing.h"

static void test_hold(void)
{
	g_assert_false(map_record_hold("mpath-a").held);
	map_record_set_hold("mpath-a", (Hold) { true, 0x123, 5 });
	g_assert_false(map_record_hold("mpath-b").held);
	g_assert_true(map_record_hold("mpath-a").held);
	g_assert_cmphex(map_record_hold("mpath-a").key, ==, 0x123);
	g_assert_cmpuint(map_record_hold("mpath-a").type, ==, 5);
	map_record_set_hold("mpath-a", (Hold) { .held = false });
	g_assert_false(map_record_hold("mpath-a").held);
}

static void test_warnings(void)
{
	unsigned int admitted = 0, suppressed;

	for (int i = 0; i < 100; i++)
		admitted +=
			map_record_admit_warning("mpath-c", 1000, &suppressed);
	g_assert_cmpuint(admitted, ==, 10);
	/* One map does not silence another. */
	g_assert_true(map_record_admit_warning("mpath-d", 1000, &suppressed));
	g_assert_cmpuint(suppressed, ==, 0);
	g_assert_true(map_record_admit_warning("mpath-c", 20 * 1000 * 1000,
					       &suppressed));
	g_assert_cmpuint(suppressed, ==, 90);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/map-record/hold", test_hold);
	g_test_add_func("/map-record/warnings", test_warnings);
	return g_test_run();
}
