/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues of the thread pool for close(). The hard rule: nothing is closed on
 * the thread that asks for it.
 */
#include "threads/closer.h"

#include <linux/sockios.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread.h"

/* No device has these keys: device numbers leave the top bits clear. */
#define CLOSER_KEY       UINT64_MAX
#define EMPTY_SOCKET_KEY (UINT64_MAX - 1)
#define LISTENER_KEY     (UINT64_MAX - 2)

typedef struct Closing {
	Task task;
	int fd;
	bool is_client;
} Closing;

static const ThreadLimits limits = {
	.threads = CLOSER_THREADS,
	.patient = true,
};

static atomic_uint pending, pending_sockets;

static void closer_count_down(atomic_uint *count)
{
	unsigned int before = atomic_fetch_sub(count, 1);

	g_assert(before > 0);
}

static ThreadWait *closer_run(Task *task)
{
	Closing *closing = (Closing *)task;
	bool is_client = closing->is_client;

	g_assert(!thread_is_main() && closing->fd >= 0);
	close(closing->fd);
	g_free(closing);
	if (is_client)
		closer_count_down(&pending_sockets);
	closer_count_down(&pending);
	return NULL;
}

static void closer_push(ThreadPool *pool, uint64_t key, int *fd, bool is_client)
{
	Closing *closing;
	bool accepted;

	if (*fd < 0)
		return;
	closing = g_new0(Closing, 1);
	closing->task.run = closer_run;
	closing->fd = fd_steal(fd);
	closing->is_client = is_client;
	if (is_client)
		atomic_fetch_add(&pending_sockets, 1);
	atomic_fetch_add(&pending, 1);
	accepted = thread_pool_push(pool, key, &limits, &closing->task);
	/* A patient queue refuses nothing. */
	g_assert(accepted);
}

void closer_close(ThreadPool *pool, int *fd)
{
	closer_push(pool, CLOSER_KEY, fd, false);
}

/* After the shutdown nothing more can get into the socket. */
static bool closer_is_empty(int fd)
{
	int unread;

	return ioctl(fd, SIOCINQ, &unread) == 0 && unread == 0;
}

void closer_close_socket(ThreadPool *pool, int *fd)
{
	if (*fd < 0)
		return;
	shutdown(*fd, SHUT_RDWR);
	closer_push(pool, closer_is_empty(*fd) ? EMPTY_SOCKET_KEY : CLOSER_KEY,
		    fd, true);
}

void closer_close_listener(ThreadPool *pool, int *fd)
{
	closer_push(pool, LISTENER_KEY, fd, false);
}

unsigned int closer_pending(void)
{
	return atomic_load(&pending);
}

unsigned int closer_pending_sockets(void)
{
	return atomic_load(&pending_sockets);
}

void closer_wait(unsigned int patience_ms)
{
	g_assert(thread_is_main());
	for (; patience_ms > 0 && closer_pending() > 0; patience_ms--)
		g_usleep(1000);
}
