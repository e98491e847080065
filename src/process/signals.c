/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals that end the daemon. Only the first one counts: a terminal that goes
 * away sends several, and the end is bounded anyway.
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
	Poller *poller;
	void (*ended)(int signal, void *data);
	void *data;
} signals = { .watch.fd = -1 };

static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

void signals_block(void)
{
	sigset_t set = ending_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Of a reader that went, and a log file that may not grow. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void signal_ready(Watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	poller_remove(signals.poller, watch);
	fd_clear(&watch->fd);
	signals.ended((int)info.ssi_signo, signals.data);
}

bool signals_watch(Poller *poller, void (*ended)(int signal, void *data),
		   void *data, GError **error)
{
	sigset_t set = ending_signals();

	signals.poller = poller;
	signals.ended = ended;
	signals.data = data;
	signals.watch.ready = signal_ready;
	signals.watch.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals.watch.fd >= 0 &&
	    poller_add(poller, &signals.watch, EPOLLIN))
		return true;
	error_set_errno(error, "cannot watch for signals");
	return false;
}
