/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is admitted in an interval, and that nothing is forgotten.
 */
#include "base/rate-limit.h"

#include <glib.h>

static void test_burst(void)
{
	RateLimit limit = { .interval_us = 100, .burst = 3 };

	for (unsigned int i = 0; i < 3; i++)
		g_assert_true(rate_limit_admit(&limit, 1000 + i));
	g_assert_cmpuint(rate_limit_take_suppressed(&limit), ==, 0);
	g_assert_false(rate_limit_admit(&limit, 1003));
	g_assert_false(rate_limit_admit(&limit, 1099));
	g_assert_cmpuint(rate_limit_take_suppressed(&limit), ==, 2);
}

static unsigned int admitted(RateLimit *limit, int64_t from, int64_t to)
{
	unsigned int count = 0;

	for (int64_t now = from; now < to; now++)
		if (rate_limit_admit(limit, now))
			count++;
	return count;
}

static void test_next_interval(void)
{
	RateLimit limit = { .interval_us = 100, .burst = 2 };

	g_assert_cmpuint(admitted(&limit, 1000, 1100), ==, 2);
	g_assert_true(rate_limit_admit(&limit, 1100));
	g_assert_cmpuint(rate_limit_take_suppressed(&limit), ==, 98);
	/* Told once. */
	g_assert_cmpuint(rate_limit_take_suppressed(&limit), ==, 0);
	g_assert_true(rate_limit_admit(&limit, 1101));
	g_assert_false(rate_limit_admit(&limit, 1102));
}

/* After a long silence there is one burst, not all that were saved up. */
static void test_silence(void)
{
	RateLimit limit = { .interval_us = 100, .burst = 2 };

	g_assert_true(rate_limit_admit(&limit, 1000));
	g_assert_cmpuint(admitted(&limit, 1000000, 1000100), ==, 2);
}

static void test_counts_add_up(void)
{
	RateLimit limit = { .interval_us = 7, .burst = 2 };
	unsigned int total = admitted(&limit, 1, 1001);

	total += rate_limit_take_suppressed(&limit);
	g_assert_cmpuint(total, ==, 1000);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rate-limit/burst", test_burst);
	g_test_add_func("/rate-limit/next-interval", test_next_interval);
	g_test_add_func("/rate-limit/silence", test_silence);
	g_test_add_func("/rate-limit/counts-add-up", test_counts_add_up);
	return g_test_run();
}
