/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of each signal; the manual page has the table. Of those that end
 * the daemon only the first one counts: a terminal that goes away sends
 * several, and the end is bounded anyway.
 */
#include "process/signals.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* The one of the process. */
static struct {
	Watch watch;
	SignalEvents events;
	bool has_ended;
	void *data;
} signals = { .watch.fd = -1 };

/* Nobody has a reason to end the daemon by these, but they come all the same:
 * from a reader that went, a log file that may not grow, a timer that was set
 * before exec() (which keeps it), a write to a terminal in the background, a
 * number that was meant for another process. */
static const int ignored[] = {
	SIGPIPE,   SIGXFSZ, SIGALRM, SIGVTALRM, SIGPROF,
	SIGIO,     SIGUSR2, SIGPWR,  SIGTTIN,   SIGTTOU,
#ifdef SIGSTKFLT
	SIGSTKFLT,
#endif
};

static sigset_t watched_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	return set;
}

void signals_block(void)
{
	sigset_t set = watched_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(ignored); i++)
		signal(ignored[i], SIG_IGN);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
}

static void signal_ready(Watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		signals.events.asked(signals.data);
	} else if (!signals.has_ended) {
		signals.has_ended = true;
		signals.events.ended((int)info.ssi_signo, signals.data);
	}
}

bool signals_watch(Poller *poller, const SignalEvents *events, void *data,
		   GError **error)
{
	sigset_t set = watched_signals();

	signals.events = *events;
	signals.data = data;
	signals.watch.ready = signal_ready;
	signals.watch.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals.watch.fd >= 0 &&
	    poller_add(poller, &signals.watch, EPOLLIN))
		return true;
	error_set_errno(error, "cannot watch for signals");
	return false;
}
