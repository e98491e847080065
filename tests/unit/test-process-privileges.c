/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dropping privileges, each time in a process of its own. What only root can
 * show is in tests/integration/real-privileges.py.
 */
#include "process/privileges.h"

#include <cap-ng.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "testing.h"

#define RAWIO (UINT64_C(1) << CAP_SYS_RAWIO)

static const Privileges nothing = { .user = (uid_t)-1, .group = (gid_t)-1 };

static void hold_nothing(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	g_assert_cmpint(capng_apply(CAPNG_SELECT_CAPS), ==, 0);
}

static void suffice(void)
{
	g_autoptr(GError) error = NULL;

	hold_nothing();
	g_assert_true(privileges_suffice(0, &error));
	g_assert_no_error(error);
	g_assert_false(privileges_suffice(RAWIO, &error));
	g_assert_nonnull(strstr(error->message, "needs CAP_SYS_RAWIO"));
	/* Root lacks it in a container only. */
	g_assert_nonnull(strstr(error->message,
				geteuid() == 0
					? "--cap-add SYS_RAWIO"
					: "AmbientCapabilities=CAP_SYS_RAWIO"));
}

/* Told before anything is given up. */
static void drop_insufficient(void)
{
	Privileges privileges = nothing;
	g_autoptr(GError) error = NULL;

	hold_nothing();
	privileges.capabilities = RAWIO;
	g_assert_false(privileges_drop(&privileges, &error));
	g_assert_nonnull(strstr(error->message, "needs CAP_SYS_RAWIO"));
	g_assert_cmpint(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ==, 0);
}

static void drop_everything(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(privileges_drop(&nothing, &error));
	g_assert_no_error(error);
	g_assert_cmpint(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ==, 1);
	capng_clear(CAPNG_SELECT_BOTH);
	g_assert_cmpint(capng_get_caps_process(), ==, 0);
	g_assert_cmpint(capng_have_capabilities(CAPNG_SELECT_CAPS), ==,
			CAPNG_NONE);
}

static void drop_to_another(void)
{
	Privileges privileges = nothing;
	g_autoptr(GError) error = NULL;

	hold_nothing();
	privileges.user = getuid() + 1;
	g_assert_false(privileges_drop(&privileges, &error));
	g_assert_nonnull(strstr(error->message, "CAP_SETUID"));
}

/* It would have kept what it had. */
static void *stay(void *data)
{
	(void)data;
	for (;;)
		pause();
	return NULL;
}

static void drop_with_thread(void)
{
	g_autoptr(GError) error = NULL;
	pthread_t thread;

	g_assert_cmpint(pthread_create(&thread, NULL, stay, NULL), ==, 0);
	g_assert_false(privileges_drop(&nothing, &error));
	g_assert_nonnull(strstr(error->message, "a thread exists"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/privileges/suffice", suffice, in_child);
	g_test_add_data_func("/privileges/drop/insufficient", drop_insufficient,
			     in_child);
	g_test_add_data_func("/privileges/drop/everything", drop_everything,
			     in_child);
	g_test_add_data_func("/privileges/drop/to-another", drop_to_another,
			     in_child);
	g_test_add_data_func("/privileges/drop/with-thread", drop_with_thread,
			     in_child);
	return g_test_run();
}
