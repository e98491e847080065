/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Users and groups by name and number, with what every system has: root.
 */
#include "process/user.h"

#include "testing.h"

#define UNTOUCHED 77777u

static void test_user_name(void)
{
	g_autoptr(GError) error = NULL;
	uid_t user = UNTOUCHED;
	gid_t group = UNTOUCHED;

	g_assert_true(user_find("user", "root", &user, &group, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(user, ==, 0);
	g_assert_cmpuint(group, ==, 0);
}

static void test_user_number(void)
{
	uid_t user = UNTOUCHED;
	gid_t group = UNTOUCHED;

	g_assert_true(user_find("user", "0", &user, &group, NULL));
	g_assert_cmpuint(user, ==, 0);
	g_assert_cmpuint(group, ==, 0);
}

static void test_user_number_unknown(void)
{
	uid_t user = UNTOUCHED;
	gid_t group = UNTOUCHED;

	g_assert_true(user_find("user", "4294967294", &user, &group, NULL));
	g_assert_cmpuint(user, ==, 4294967294);
	g_assert_true(group == USER_UNCHANGED);
}

/* 4294967295 is (uid_t)-1, which means "leave it" to the kernel. */
static const char *const wrong[] = {
	"",
	"nosuchuser",
	"4294967295",
	"4294967296",
	"-1",
	"+0",
	" 0",
	"0 ",
	"0x0",
	"1.0",
	"0k",
	"root ",
	"18446744073709551616",
};

static void test_user_wrong(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		uid_t user = UNTOUCHED;
		gid_t group = UNTOUCHED;

		g_assert_false(
			user_find("user", wrong[i], &user, &group, &error));
		g_assert_nonnull(error);
		g_assert_nonnull(strstr(error->message, wrong[i]));
		g_assert_cmpuint(user, ==, UNTOUCHED);
		g_assert_cmpuint(group, ==, UNTOUCHED);
	}
}

static void test_group(void)
{
	gid_t group = UNTOUCHED;

	g_assert_true(user_find_group("group", "root", &group, NULL));
	g_assert_cmpuint(group, ==, 0);
	g_assert_true(user_find_group("group", "12345678", &group, NULL));
	g_assert_cmpuint(group, ==, 12345678);
	g_assert_true(user_find_group("group", "4294967294", &group, NULL));
	g_assert_cmpuint(group, ==, 4294967294);
}

static void test_group_wrong(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		gid_t group = UNTOUCHED;

		g_assert_false(
			user_find_group("group", wrong[i], &group, &error));
		g_assert_nonnull(error);
		g_assert_cmpuint(group, ==, UNTOUCHED);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/user/user/name", test_user_name);
	g_test_add_func("/user/user/number", test_user_number);
	g_test_add_func("/user/user/number-unknown", test_user_number_unknown);
	g_test_add_func("/user/user/wrong", test_user_wrong);
	g_test_add_func("/user/group/known", test_group);
	g_test_add_func("/user/group/wrong", test_group_wrong);
	return g_test_run();
}
