/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up errors: the text, and errno before and after.
 */
#include "base/error.h"

#include "testing.h"

/* In place of the C library's, which may change errno. */
char *strerror(int number)
{
	static char text[] = "what errno means";

	g_assert_cmpint(number, ==, ENOENT);
	errno = EINVAL;
	return text;
}

static void test_words(void)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, "cannot %s '%s' %d%%", "find", "it", 7);
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, "cannot find 'it' 7%");
}

static void test_errno(void)
{
	g_autoptr(GError) error = NULL;

	errno = ENOENT;
	error_set_errno(&error, "cannot open '%s'", "/x%s");
	g_assert_cmpstr(error->message, ==,
			"cannot open '/x%s': what errno means");
	g_assert_cmpint(errno, ==, ENOENT);
}

/* Nobody wants to know. */
static void test_nobody(void)
{
	errno = ENOENT;
	error_set(NULL, "unheard");
	error_set_errno(NULL, "unheard");
	g_assert_cmpint(errno, ==, ENOENT);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/error/words", test_words);
	g_test_add_func("/error/errno", test_errno);
	g_test_add_func("/error/nobody", test_nobody);
	return g_test_run();
}
