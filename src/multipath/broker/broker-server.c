/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loop that only receives and forks; what may block is left to the children.
 * The hard rules: it keeps no descriptor but its socket, neither of a map nor
 * of a path; and it ends when, and only when, the helper does.
 */
#include "broker-server.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "packet.h"
#include "process/privileges.h"

#define SOCKET 3 /* after the standard ones */

/* The one of the process. */
static struct {
	pid_t self, client;
	BrokerExecute *execute;
	unsigned int children;
	sigset_t waiting; /* signals blocked while it waits */
} broker;

/* --- getting ready ----------------------------------------------------------
 */

static void child_ended(int signal)
{
	(void)signal; /* ends ppoll() */
}

/* The helper still needs it while it drains, so no signal that is meant for
 * all processes of a terminal or a service ends it; the socket's end does.
 * (PR_SET_PDEATHSIG would not: an unprivileged parent's death may not signal a
 * process of uid 0.) */
static void set_signals(void)
{
	struct sigaction ended = { .sa_handler = child_ended };

	sigfillset(&broker.waiting);
	sigprocmask(SIG_SETMASK, &broker.waiting, NULL);
	sigdelset(&broker.waiting, SIGCHLD);
	sigaction(SIGCHLD, &ended, NULL);
}

/* The socket first: what goes wrong afterwards can be told. */
static bool keep_only(int socket, GError **error)
{
	int null = -1;

	if (socket != SOCKET && dup2(socket, SOCKET) < 0)
		_exit(EXIT_FAILURE);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0) {
			error_set_errno(error, "cannot use /dev/null");
			return false;
		}
	fd_close_from(SOCKET + 1);
	return true;
}

static bool give_up(Confinement *ret_confinement, GError **error)
{
	if (!privileges_drop_all(error))
		return false;
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || chdir("/") < 0) {
		error_set_errno(error, "cannot hide itself");
		return false;
	}
	return confine(ret_confinement, error);
}

static void get_ready(int socket)
{
	g_autoptr(GError) error = NULL;
	BrokerReady ready = { 0 };

	prctl(PR_SET_NAME, "pr-broker");
	set_signals();
	if (!keep_only(socket, &error) || !give_up(&ready.confinement, &error))
		g_strlcpy(ready.error, error->message, sizeof(ready.error));
	if (!packet_send(SOCKET, &ready, sizeof(ready), NULL, 0, 0) || error)
		_exit(EXIT_FAILURE);
}

/* --- requests ---------------------------------------------------------------
 */

static void reply_send(int socket, const PrivilegedReply *reply, int path)
{
	/* Nobody can make it wait: the socket is fresh, or its owner's fault.
	 */
	packet_send(socket, reply, sizeof(*reply), &path, path >= 0,
		    MSG_DONTWAIT);
}

static void broker_refuse(int socket, int error)
{
	PrivilegedReply reply = { .error = error };

	reply_send(socket, &reply, -1);
}

/* In the child. The reply has to wait until the broker has closed the map's
 * descriptor, which `gate` tells by its end: who has the reply may count on no
 * reference to the map being left. */
static _Noreturn void run_child(const PrivilegedRequest *request, int map,
				int reply_socket, int gate)
{
	PrivilegedReply reply;
	char byte;
	int path;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != broker.self) /* it ended before that */
		_exit(EXIT_FAILURE);
	close(SOCKET);
	broker.execute(request, map, &reply, &path);
	close(map);
	(void)!TEMP_FAILURE_RETRY(read(gate, &byte, 1));
	reply_send(reply_socket, &reply, path);
	_exit(EXIT_SUCCESS);
}

static void start_child(const PrivilegedRequest *request, int *map,
			int reply_socket)
{
	int gate[2];
	pid_t child;

	if (pipe2(gate, O_CLOEXEC) < 0) {
		broker_refuse(reply_socket, errno);
		return;
	}
	child = fork();
	if (child == 0) {
		close(gate[1]);
		run_child(request, *map, reply_socket, gate[0]);
	}
	if (child < 0)
		broker_refuse(reply_socket, errno);
	else
		broker.children++;
	close(gate[0]);
	fd_clear(map);
	close(gate[1]);
}

static bool broker_option_is(int socket, int option, int value)
{
	int found = -1;
	socklen_t length = sizeof(found);

	return getsockopt(socket, SOL_SOCKET, option, &found, &length) == 0 &&
	       found == value;
}

/* Half of a pair that the helper has made: whoever else reads from a socket
 * would take what uid 0 writes for an order of uid 0. */
static bool is_reply_socket(int socket)
{
	struct ucred peer;

	return broker_option_is(socket, SO_DOMAIN, AF_UNIX) &&
	       broker_option_is(socket, SO_TYPE, SOCK_SEQPACKET) &&
	       unix_socket_peer(socket, &peer) && peer.pid == broker.client;
}

static void take_request(void)
{
	PrivilegedRequest request = { 0 };
	int fds[PACKET_FDS_MAX] = { -1, -1 };
	size_t n_fds;

	switch (packet_receive(SOCKET, &request, sizeof(request), fds,
			       &n_fds)) {
	case PACKET_ENDED:
		_exit(EXIT_SUCCESS);
	case PACKET_WRONG:
		break;
	case PACKET_RECEIVED:
		if (n_fds != 2 || !is_reply_socket(fds[1]))
			break;
		if (broker.children >= BROKER_CHILDREN_MAX)
			broker_refuse(fds[1], EAGAIN);
		else
			start_child(&request, &fds[0], fds[1]);
	}
	fd_clear(&fds[0]);
	fd_clear(&fds[1]);
}

static void reap_children(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		broker.children--;
}

_Noreturn void broker_serve(int socket, pid_t client, BrokerExecute *execute)
{
	struct pollfd waiting = { .fd = SOCKET, .events = POLLIN };

	broker.self = getpid();
	broker.client = client;
	broker.execute = execute;
	get_ready(socket);
	while (true) {
		reap_children();
		if (ppoll(&waiting, 1, NULL, &broker.waiting) > 0)
			take_request();
		else if (errno != EINTR)
			_exit(EXIT_FAILURE);
	}
}
