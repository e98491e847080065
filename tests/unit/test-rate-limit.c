/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is admitted in an interval, and that nothing is forgotten.
 */
#include "rate-limit.h"

#include <glib.h>

static void test_burst(void)
{
	RateLimit limit = { .interval = 100, .burst = 3 };
	unsigned int suppressed = 77;

	for (unsigned int i = 0; i < 3; i++) {
		g_assert_true(rate_limit_admit(&limit, 1000 + i, &suppressed));
		g_assert_cmpuint(suppressed, ==, 0);
	}
	g_assert_false(rate_limit_admit(&limit, 1003, &suppressed));
	g_assert_false(rate_limit_admit(&limit, 1099, &suppressed));
}

static void test_next_interval(void)
{
	RateLimit limit = { .interval = 100, .burst = 2 };
	unsigned int suppressed, admitted = 0;

	for (int64_t now = 1000; now < 1100; now++)
		if (rate_limit_admit(&limit, now, &suppressed))
			admitted++;
	g_assert_cmpuint(admitted, ==, 2);
	g_assert_true(rate_limit_admit(&limit, 1100, &suppressed));
	g_assert_cmpuint(suppressed, ==, 98);
	/* Told once. */
	g_assert_true(rate_limit_admit(&limit, 1101, &suppressed));
	g_assert_cmpuint(suppressed, ==, 0);
	g_assert_false(rate_limit_admit(&limit, 1102, &suppressed));
}

/* After a long silence there is one burst, not all that were saved up. */
static void test_silence(void)
{
	RateLimit limit = { .interval = 100, .burst = 2 };
	unsigned int suppressed, admitted = 0;

	g_assert_true(rate_limit_admit(&limit, 1000, &suppressed));
	for (int64_t now = 1000000; now < 1000100; now++)
		if (rate_limit_admit(&limit, now, &suppressed))
			admitted++;
	g_assert_cmpuint(admitted, ==, 2);
}

static void test_counts_add_up(void)
{
	RateLimit limit = { .interval = 7, .burst = 2 };
	unsigned int total = 0, suppressed;

	for (int64_t now = 1; now <= 1000; now++)
		if (rate_limit_admit(&limit, now, &suppressed))
			total += 1 + suppressed;
	while (!rate_limit_admit(&limit, 2000, &suppressed))
		total++;
	total += suppressed;
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
