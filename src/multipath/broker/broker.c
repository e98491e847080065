/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helper's side of the broker. Each call has a socket of its own for the
 * reply, so that threads need no lock and no answer goes astray. What the
 * broker says is checked like what a client says.
 */
#include "multipath/broker/broker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "broker-server.h"
#include "multipath/host/multipathd.h"
#include "packet.h"

/* A broker that is well answers a request so many milliseconds after the
 * request's own time at the latest. */
#define GRACE_MS 1000

#define REFUSAL_SIZE 160

/* The one of the process; constant once threads exist. */
static struct {
	enum { NOBODY, OURSELVES, BROKER } executor;
	int socket;
	char refusal[REFUSAL_SIZE]; /* where nobody executes */
} broker = {
	.socket = -1,
	.refusal = "multipath maps need a helper that was started as root (-u "
		   "then changes to another user)",
};

/* A broker that ends leaves no zombie; the helper has no other child. */
static void ignore_its_end(void)
{
	struct sigaction none = { .sa_handler = SIG_DFL,
				  .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &none, NULL);
}

static void tell_confinement(const Confinement *done)
{
	if (!done->files)
		log_message(LOG_LEVEL_NOTICE,
			    "the broker for multipath maps runs without "
			    "Landlock, which this kernel does not have");
	if (!done->calls)
		log_message(LOG_LEVEL_NOTICE,
			    "the broker for multipath maps runs without a "
			    "seccomp filter, which this kernel or processor "
			    "does not have");
}

static bool await_ready(int socket, GError **error)
{
	int fds[PACKET_FDS_MAX];
	BrokerReady ready = { 0 };
	size_t n_fds;

	if (packet_receive(socket, &ready, sizeof(ready), fds, &n_fds) !=
	    PACKET_RECEIVED) {
		error_set(error, "the broker for multipath maps ended at its "
				 "start");
		return false;
	}
	if (ready.error[0]) {
		error_set(error, "the broker for multipath maps: %s",
			  ready.error);
		return false;
	}
	tell_confinement(&ready.confinement);
	return true;
}

bool broker_start(GError **error)
{
	pid_t helper = getpid(), child;
	autofd ours = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		error_set_errno(error, "cannot create a pair of sockets");
		return false;
	}
	ours = ends[0];
	ignore_its_end();
	child = fork();
	if (child == 0)
		broker_serve(ends[1], helper, privileged_execute);
	close(ends[1]);
	if (child < 0) {
		error_set_errno(error, "cannot fork");
		return false;
	}
	if (!await_ready(ours, error))
		return false;
	broker_use(fd_steal(&ours));
	return true;
}

void broker_use(int socket)
{
	broker.executor = BROKER;
	broker.socket = socket;
}

void broker_stop(void)
{
	/* Not close(): a thread may be about to use the number. */
	if (broker.executor == BROKER)
		shutdown(broker.socket, SHUT_RDWR);
}

void broker_not_needed(void)
{
	broker.executor = OURSELVES;
}

void broker_not_started(const char *reason)
{
	snprintf(broker.refusal, sizeof(broker.refusal),
		 "multipath maps are refused: %s", reason);
}

bool broker_is_available(void)
{
	return broker.executor != NOBODY;
}

const char *broker_refusal(void)
{
	return broker.refusal;
}

static bool is_path(int fd, const PrivilegedRequest *request)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISBLK(status.st_mode) &&
	       status.st_rdev == makedev(request->major, request->minor);
}

static bool broker_reply_is_sound(const PrivilegedRequest *request,
				  const PrivilegedReply *reply, const int *fds,
				  size_t n_fds)
{
	bool opened =
		request->action == PRIVILEGED_OPEN_PATH && reply->error == 0;

	return reply->error >= 0 && reply->result < MULTIPATHD_RESULT_COUNT &&
	       reply->aptpl <= 1 && reply->hold <= 1 && n_fds == opened &&
	       (!opened || is_path(fds[0], request));
}

static bool await_reply(int socket, int patience_ms)
{
	struct pollfd waiting = { .fd = socket, .events = POLLIN };

	/* The threads that come here have all signals blocked. */
	return poll(&waiting, 1, patience_ms) > 0;
}

static void broker_receive(const PrivilegedRequest *request, int socket,
			   PrivilegedReply *reply, int *ret_fd)
{
	int fds[PACKET_FDS_MAX];
	size_t n_fds;
	PacketResult result;

	if (!await_reply(socket, (int)request->timeout_ms + GRACE_MS)) {
		*reply = (PrivilegedReply) { .error = ETIMEDOUT };
		return;
	}
	result = packet_receive(socket, reply, sizeof(*reply), fds, &n_fds);
	if (result == PACKET_RECEIVED &&
	    broker_reply_is_sound(request, reply, fds, n_fds)) {
		if (n_fds > 0)
			*ret_fd = fds[0];
		return;
	}
	while (n_fds > 0)
		close(fds[--n_fds]);
	*reply = (PrivilegedReply) {
		.error = result == PACKET_ENDED ? EPIPE : EPROTO,
	};
}

/* A reply may be missing because only the request's own process has ended.
 * Once is enough; each command that fails for it is logged anyway. */
static void tell_end(void)
{
	static gint told;
	struct pollfd end = { .fd = broker.socket };

	if (poll(&end, 1, 0) > 0 && (end.revents & POLLHUP) &&
	    g_atomic_int_compare_and_exchange(&told, 0, 1))
		log_message(LOG_LEVEL_ERROR,
			    "the broker process has ended: commands to "
			    "multipath maps fail until the helper is "
			    "restarted");
}

static void call(const PrivilegedRequest *request, int map,
		 PrivilegedReply *reply, int *ret_fd)
{
	autofd ours = -1;
	bool sent;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		reply->error = errno;
		return;
	}
	ours = ends[0];
	sent = packet_send(broker.socket, request, sizeof(*request),
			   (const int[]) { map, ends[1] }, 2, MSG_DONTWAIT);
	reply->error = errno == ECONNRESET ? EPIPE : errno;
	/* Ours only: then the end of the broker, or of its child, is seen. */
	close(ends[1]);
	if (sent)
		broker_receive(request, ours, reply, ret_fd);
	if (reply->error == EPIPE)
		tell_end();
}

void broker_call(const PrivilegedRequest *request, int map,
		 PrivilegedReply *ret_reply, int *ret_fd)
{
	*ret_fd = -1;
	*ret_reply = (PrivilegedReply) { .error = EOPNOTSUPP };
	switch (broker.executor) {
	case NOBODY:
		break;
	case OURSELVES:
		privileged_execute(request, map, ret_reply, ret_fd);
		break;
	case BROKER:
		call(request, map, ret_reply, ret_fd);
		break;
	}
}
