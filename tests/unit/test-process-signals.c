/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The signals that end the daemon, and the one that must not. In processes of
 * their own, since what is blocked stays blocked.
 */
#include "process/signals.h"

#include <signal.h>

#include "looping.h"

static int heard, times;

static void ended(int signal, void *data)
{
	g_assert_true(data == &heard);
	heard = signal;
	times++;
}

static Poller *watch(void)
{
	g_autoptr(GError) error = NULL;
	Poller *poller = poller_new(&error);

	g_assert_no_error(error);
	g_assert_true(signals_watch(poller, ended, &heard, &error));
	g_assert_no_error(error);
	return poller;
}

static void check(int number)
{
	Poller *poller;

	signals_block();
	poller = watch();
	run_pending();
	g_assert_cmpint(times, ==, 0);
	g_assert_no_errno(kill(getpid(), number));
	run_pending();
	g_assert_cmpint(heard, ==, number);
	/* A terminal that goes away sends several. */
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGINT);
	run_pending();
	g_assert_cmpint(times, ==, 1);
	poller_free(poller);
}

static void sigterm(void)
{
	check(SIGTERM);
}

static void sigint(void)
{
	check(SIGINT);
}

static void sighup(void)
{
	check(SIGHUP);
}

/* One that came while the daemon was starting. */
static void early(void)
{
	Poller *poller;

	signals_block();
	kill(getpid(), SIGTERM);
	poller = watch();
	run_pending();
	g_assert_cmpint(heard, ==, SIGTERM);
	poller_free(poller);
}

static void broken_pipe(void)
{
	int ends[2];

	signals_block();
	g_assert_no_errno(pipe2(ends, O_CLOEXEC));
	close(ends[0]);
	g_assert_cmpint(write(ends[1], "x", 1), ==, -1);
	g_assert_cmpint(errno, ==, EPIPE);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/signals/sigterm", sigterm, in_child);
	g_test_add_data_func("/signals/sigint", sigint, in_child);
	g_test_add_data_func("/signals/sighup", sighup, in_child);
	g_test_add_data_func("/signals/early", early, in_child);
	g_test_add_data_func("/signals/broken-pipe", broken_pipe, in_child);
	return g_test_run();
}
