/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process itself: what it may do, as who, with how many descriptors. The
 * privileges are dropped for trial, in a child, by the code that does it in
 * earnest; and so the second process is started.
 */
#include "check/check.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/plural.h"
#include "device.h"
#include "device/backend.h"
#include "multipath/broker/broker.h"
#include "multipathd.h"
#include "process/pidfile.h"
#include "process/privileges.h"
#include "process/user.h"
#include "serve/start.h"
#include "threads/fd-budget.h"

typedef bool Trial(const Options *options, GError **error);

/* It ends with the child that tries it. */
static bool check_start_broker(const Options *options, GError **error)
{
	(void)options;
	/* What this kernel lacks is the log's to tell. */
	log_set_level(LOG_LEVEL_WARNING);
	return broker_start(error);
}

/* In the child: the last thing it does. */
static void try_here(Trial *trial, const Options *options, int errors)
{
	g_autoptr(GError) error = NULL;

	if (trial(options, &error))
		_exit(EXIT_SUCCESS);
	(void)!write(errors, error->message, strlen(error->message));
	_exit(EXIT_FAILURE);
}

/* Whether a step of the start will work, tried in a child so that this process
 * keeps what the other checks need. */
static bool try_in_child(Trial *trial, const Options *options, GError **error)
{
	char message[1024];
	int ends[2], status;
	ssize_t n;
	pid_t child;

	/* Whoever started us may have left it ignored. */
	signal(SIGCHLD, SIG_DFL);
	if (pipe(ends) < 0 || (child = fork()) < 0) {
		error_set_errno(error, "cannot start a process");
		return false;
	}
	if (child == 0)
		try_here(trial, options, ends[1]);
	close(ends[1]);
	n = read(ends[0], message, sizeof(message));
	close(ends[0]);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_SUCCESS)
		return true;
	error_set(error, "%.*s", (int)MAX(n, 0), message);
	return false;
}

/* The kernel asks for the capability in the initial user namespace, which maps
 * all numbers to themselves. */
static void check_namespace(Check *check)
{
	g_autofree char *map = NULL;
	unsigned long inside, outside, count;

	if (!g_file_get_contents("/proc/self/uid_map", &map, NULL, NULL) ||
	    (sscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
	     inside == 0 && outside == 0 && count == UINT32_MAX))
		return;
	check->may_send = false;
	check_fix(check, "user namespace: this is none of the host's, and the "
			 "kernel refuses the commands in it; start the helper "
			 "outside of it (not with PrivateUsers=, nor in a "
			 "rootless container)");
}

static void check_second_process(Check *check)
{
	const Options *options = check->options;
	g_autoptr(GError) error = NULL;

	if (try_in_child(check_start_broker, options, &error))
		check_ok("privileges: CAP_SYS_RAWIO as user %u; a second "
			 "process stays root, for multipath maps",
			 options->user);
	else
		check_fix(check,
			  "privileges: CAP_SYS_RAWIO as user %u, but multipath "
			  "maps will be refused: %s",
			  options->user, error->message);
}

void check_privileges(Check *check)
{
	const Options *options = check->options;
	g_autoptr(GError) error = NULL;

	check->may_send = privileges_suffice(backend_capabilities(), NULL);
	if (!try_in_child(start_drop_privileges, options, &error))
		check_fix(check, "privileges: %s", error->message);
	else if (geteuid() != 0)
		check_ok("privileges: CAP_SYS_RAWIO as user %u; multipath maps "
			 "need a start as root",
			 geteuid());
	else if (!user_leaves_root(options->user))
		check_ok("privileges: CAP_SYS_RAWIO as root");
	else
		check_second_process(check);
	check_namespace(check);
}

void check_descriptors(Check *check)
{
	const Options *options = check->options;
	StartCapacity capacity = start_capacity();
	unsigned int limit = capacity.files;
	unsigned int clients = capacity.clients;
	const char *word = plural(clients, "client", "clients");

	if (clients >= options->max_clients)
		check_ok("open files: %u, enough for %u %s", limit,
			 options->max_clients,
			 plural(options->max_clients, "client", "clients"));
	else if (options->max_clients_given)
		check_fix(check,
			  "open files: %u, enough for %u %s and not for %u; "
			  "raise LimitNOFILE= in the unit, or ulimit -n",
			  limit, clients, word, options->max_clients);
	else if (clients < FD_BUDGET_FEW_CLIENTS)
		check_fix(check,
			  "open files: %u, enough for %u %s only; raise "
			  "LimitNOFILE= in the unit, or ulimit -n",
			  limit, clients, word);
	else
		check_ok("open files: %u, enough for %u %s; LimitNOFILE= in "
			 "the unit raises it",
			 limit, clients, word);
}

void check_pidfile(Check *check)
{
	const char *path = check->options->pidfile;
	g_autoptr(GError) error = NULL;

	if (!path)
		return;
	if (pidfile_check(path, &error))
		check_ok("PID file %s: free", path);
	else
		check_fix(check, "PID file: %s", error->message);
}

void check_devices(Check *check)
{
	const Options *options = check->options;

	if (!options->devices[0])
		check_multipathd(check, NULL);
	for (char *const *device = options->devices; *device; device++)
		check_device(check, *device);
}
