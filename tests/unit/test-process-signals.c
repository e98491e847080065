/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The signals that end the daemon, the one that asks, and those that do
 * nothing. In processes of their own, since what is blocked stays blocked.
 */
#include "process/signals.h"

#include <signal.h>

#include "looping.h"

static int heard, times, questions;

static void ended(int signal, void *data)
{
	g_assert_true(data == &heard);
	heard = signal;
	times++;
}

static void asked(void *data)
{
	g_assert_true(data == &heard);
	questions++;
}

static Poller *watch(void)
{
	static const SignalEvents events = { .ended = ended, .asked = asked };
	g_autoptr(GError) error = NULL;
	Poller *poller = poller_new(&error);

	g_assert_no_error(error);
	g_assert_true(signals_watch(poller, &events, &heard, &error));
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

/* As often as it likes, also while the daemon ends. */
static void sigusr1(void)
{
	Poller *poller;

	signals_block();
	poller = watch();
	for (int i = 1; i <= 2; i++) {
		g_assert_no_errno(kill(getpid(), SIGUSR1));
		run_pending();
		g_assert_cmpint(questions, ==, i);
		g_assert_cmpint(times, ==, 0);
	}
	g_assert_no_errno(kill(getpid(), SIGTERM));
	run_pending();
	g_assert_no_errno(kill(getpid(), SIGUSR1));
	run_pending();
	g_assert_cmpint(questions, ==, 3);
	g_assert_cmpint(times, ==, 1);
	poller_free(poller);
}

static bool is_ignored(int number)
{
	struct sigaction action;

	g_assert_no_errno(sigaction(number, NULL, &action));
	return action.sa_handler == SIG_IGN;
}

/* What tells of a fault, or what a person wants, stays as it is. */
static void others(void)
{
	static const int harmless[] = { SIGPIPE, SIGXFSZ, SIGALRM, SIGVTALRM,
					SIGPROF, SIGIO,   SIGUSR2, SIGPWR,
					SIGTTIN, SIGTTOU };
	static const int meant[] = { SIGQUIT, SIGABRT, SIGILL, SIGTRAP,
				     SIGFPE,  SIGBUS,  SIGSYS, SIGXCPU,
				     SIGTSTP, SIGCONT, SIGCHLD };

	signals_block();
	for (size_t i = 0; i < G_N_ELEMENTS(harmless); i++)
		g_assert_true(is_ignored(harmless[i]));
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		g_assert_true(is_ignored(number));
	for (size_t i = 0; i < G_N_ELEMENTS(meant); i++)
		g_assert_false(is_ignored(meant[i]));
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
	g_test_add_data_func("/signals/sigusr1", sigusr1, in_child);
	g_test_add_data_func("/signals/others", others, in_child);
	g_test_add_data_func("/signals/broken-pipe", broken_pipe, in_child);
	return g_test_run();
}
