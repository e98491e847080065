/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of start-up, as one table that --check walks, too, and of the end,
 * and nothing else. The order matters: what needs privileges comes before they
 * are dropped, what starts a thread after, and the socket's name appears only
 * when connecting to it works.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "check/check.h"
#include "device/backend.h"
#include "multipath/broker/broker.h"
#include "process/daemonize.h"
#include "process/descriptors.h"
#include "process/listen.h"
#include "process/notify.h"
#include "process/options.h"
#include "process/pidfile.h"
#include "process/privileges.h"
#include "process/signals.h"
#include "process/user.h"
#include "serve/server.h"
#include "serve/start.h"
#include "threads/fd-budget.h"

/* How long a stopping helper answers what it has taken;
 * libvirt kills it after about 10 s. */
#define DRAIN_LIMIT_US ((gint64)8 * 1000 * 1000)

typedef struct Daemon {
	Options options;
	ListenSocket socket;
	PidFile pidfile;
	int parent; /* that waits, with -d; or -1 */
	Poller *poller;
	Server *server;
	GMainLoop *loop;
} Daemon;

static bool open_socket(Daemon *daemon, GError **error)
{
	const Options *options = &daemon->options;
	ListenOptions listen_options = {
		.path = options->socket_path,
		.mode = options->socket_mode,
		.owner = options->socket_owner,
		.group = options->socket_group,
	};

	/* Socket activation, if any, was noticed before the fork. */
	if (daemon->socket.fd >= 0)
		return true;
	return listen_bind(&listen_options, &daemon->socket, error);
}

static bool take_activation(Daemon *daemon, GError **error)
{
	if (!listen_activated(&daemon->socket, error))
		return false;
	return daemon->socket.fd < 0 ||
	       options_suit_activation(&daemon->options, error);
}

static bool create_pidfile(Daemon *daemon, GError **error)
{
	return !daemon->options.pidfile ||
	       pidfile_create(daemon->options.pidfile, &daemon->pidfile, error);
}

/* Told before the socket appears, and QEMU with it. */
static bool can_serve(Daemon *daemon, GError **error)
{
	(void)daemon;
	return privileges_suffice(backend_capabilities(), error);
}

/* Who does for multipath maps what only uid 0 may do: this process while it is
 * uid 0, else a broker that stays so; or nobody, and raw SCSI disks are served
 * all the same. */
static bool start_broker(Daemon *daemon, GError **own_error)
{
	uid_t user = daemon->options.user;
	g_autoptr(GError) error = NULL;

	(void)own_error;
	if (geteuid() != 0)
		return true;
	if (!user_leaves_root(user)) {
		broker_not_needed();
	} else if (!broker_start(&error)) {
		log_message(LOG_LEVEL_WARNING,
			    "multipath maps will be refused: %s",
			    error->message);
		broker_not_started(error->message);
	}
	return true;
}

static bool drop_privileges(Daemon *daemon, GError **error)
{
	return start_drop_privileges(&daemon->options, error);
}

/* A table that is smaller than what was asked for, or than any host needs. */
static void report_room(const Options *options, unsigned int clients,
			unsigned int descriptors)
{
	bool few = clients < FD_BUDGET_FEW_CLIENTS;

	if (few || options->max_clients_given)
		log_message(few ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
			    "serving at most %u %s, as only %u files may be "
			    "open; raise LimitNOFILE= in the unit, or ulimit "
			    "-n",
			    clients, plural(clients, "client", "clients"),
			    descriptors);
}

static bool create_server(Daemon *daemon, GError **error)
{
	const Options *options = &daemon->options;
	StartCapacity capacity = start_capacity();
	ServerLimits limits = {
		.max_clients = capacity.clients,
		.descriptors = capacity.table,
		.command_timeout_us = options->command_timeout_us,
	};

	limits.by_descriptors = limits.max_clients < options->max_clients;
	if (limits.by_descriptors)
		report_room(options, limits.max_clients, capacity.files);
	else
		limits.max_clients = options->max_clients;
	daemon->poller = poller_new(error);
	if (daemon->poller)
		daemon->server = server_new(daemon->poller, daemon->socket.fd,
					    &limits, error);
	return daemon->server != NULL;
}

static void drained(void *data)
{
	g_main_loop_quit(((Daemon *)data)->loop);
}

static void ended(int signal, void *data)
{
	Daemon *daemon = data;

	log_message(LOG_LEVEL_INFO, "stopping on signal %d", signal);
	notify_stopping();
	/* A successor may serve at once, whatever we wait for. */
	listen_unlink(&daemon->socket);
	daemon->socket.path = NULL;
	pidfile_remove(&daemon->pidfile);
	server_drain(daemon->server, DRAIN_LIMIT_US, drained, daemon);
}

static void asked(void *data)
{
	server_log_state(((Daemon *)data)->server);
}

static bool go_to_background(Daemon *daemon, GError **error)
{
	return !daemon->options.daemon || daemonize(&daemon->parent, error);
}

static bool start_log(Daemon *daemon, GError **error)
{
	const Options *options = &daemon->options;

	(void)error;
	log_init(options->log_target, options->daemon);
	log_set_level(options->log_level);
	return true;
}

static bool watch_signals(Daemon *daemon, GError **error)
{
	static const SignalEvents events = { .ended = ended, .asked = asked };

	return signals_watch(daemon->poller, &events, daemon, error);
}

/* The start, in its order, and what --check says of each step.
 * check_privileges() tries the second process and the drop as well: their
 * outcomes are one line. */
static const struct {
	bool (*run)(Daemon *daemon, GError **error);
	void (*describe)(Check *check);
} steps[] = {
	{ take_activation },
	{ go_to_background },
	{ start_log },
	{ can_serve, check_privileges },
	{ create_pidfile, check_pidfile },
	{ start_broker },
	{ open_socket, check_socket },
	{ drop_privileges },
	{ create_server, check_descriptors },
	{ watch_signals },
};

static bool start(Daemon *daemon, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (!steps[i].run(daemon, error))
			return false;
	return true;
}

/* Whether the start would succeed, and the devices can be served. */
static bool check_start(const Options *options)
{
	Check check = { .options = options };

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (steps[i].describe)
			steps[i].describe(&check);
	check_devices(&check);
	return check.to_fix == 0;
}

static void run(Daemon *daemon)
{
	log_message(LOG_LEVEL_INFO, "version " VERSION " serving on %s",
		    daemon->socket.path ? daemon->socket.path
					: "an activated socket");
	log_tell_if_unheard();
	notify_ready();
	daemonize_ready(&daemon->parent);
	g_main_loop_run(daemon->loop);
}

static void stop(Daemon *daemon)
{
	listen_unlink(&daemon->socket);
	server_free(daemon->server);
	broker_stop();
	poller_free(daemon->poller);
	pidfile_remove(&daemon->pidfile);
	g_main_loop_unref(daemon->loop);
	g_free(daemon->options.pidfile);
}

/* What was printed has to have arrived: a full disk is no success. */
static bool flush_output(GError **error)
{
	if (fflush(stdout) < 0)
		error_set_errno(error, "cannot write to standard output");
	else if (ferror(stdout))
		error_set(error, "cannot write to standard output");
	else
		return true;
	return false;
}

/* The exit status where it does not serve. */
static int end_printing(bool ok)
{
	g_autoptr(GError) error = NULL;

	if (!flush_output(&error)) {
		log_start_error(error->message);
		ok = false;
	}
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	Daemon daemon = {
		.socket = { .fd = -1 },
		.pidfile = PID_FILE_NONE,
		.parent = -1,
	};
	g_autoptr(GError) error = NULL;

	descriptors_fill_standard();
	switch (options_parse(argc, argv, &daemon.options, &error)) {
	case OPTIONS_DONE:
		return end_printing(true);
	case OPTIONS_WRONG:
		if (error)
			log_start_error(error->message);
		return EXIT_FAILURE;
	case OPTIONS_RUN:
		break;
	}
	if (daemon.options.check) {
		bool ready = check_start(&daemon.options);

		g_free(daemon.options.pidfile);
		return end_printing(ready);
	}
	signals_block();
	daemon.loop = g_main_loop_new(NULL, FALSE);
	if (!start(&daemon, &error)) {
		log_start_error(error->message);
		stop(&daemon);
		return EXIT_FAILURE;
	}
	run(&daemon);
	stop(&daemon);
	log_message(LOG_LEVEL_INFO, "stopped");
	/* Not exit(): threads may still be in the kernel. */
	_exit(EXIT_SUCCESS);
}
