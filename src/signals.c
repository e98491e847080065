/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals that end the daemon. Only the first one counts: a terminal that goes
 * away sends several, and the end is bounded anyway.
 */
#include "signals.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "error.h"

typedef struct SignalWatch {
	void (*ended)(int signal, void *data);
	void *data;
} SignalWatch;

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
	signal(SIGPIPE, SIG_IGN);
}

static gboolean signal_ready(gint fd, GIOCondition condition, gpointer data)
{
	SignalWatch *watch = data;
	struct signalfd_siginfo info;

	(void)condition;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return G_SOURCE_CONTINUE;
	close(fd);
	watch->ended((int)info.ssi_signo, watch->data);
	g_free(watch);
	return G_SOURCE_REMOVE;
}

bool signals_watch(void (*ended)(int signal, void *data), void *data,
		   GError **error)
{
	sigset_t set = ending_signals();
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	SignalWatch *watch;

	if (fd < 0) {
		error_set_errno(error, "cannot watch for signals");
		return false;
	}
	watch = g_new0(SignalWatch, 1);
	watch->ended = ended;
	watch->data = data;
	g_unix_fd_add(fd, G_IO_IN, signal_ready, watch);
	return true;
}
