/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane for close(). The hard rule: nothing is closed on the thread that
 * asks for it.
 */
#include "threads/disposal.h"

#include <linux/sockios.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread.h"

/* No device has these keys: device numbers leave the top bits clear. */
#define DISPOSAL_KEY     UINT64_MAX
#define EMPTY_SOCKET_KEY (UINT64_MAX - 1)
#define LISTENER_KEY     (UINT64_MAX - 2)

typedef struct Disposal {
	Task task;
	int fd;
	bool is_client;
} Disposal;

static const LaneLimits limits = {
	.threads = DISPOSAL_THREADS,
	.patient = true,
};

static atomic_uint pending, pending_sockets;

static void count_down(atomic_uint *count)
{
	unsigned int before = atomic_fetch_sub(count, 1);

	g_assert(before > 0);
}

static LaneWait *disposal_run(Task *task)
{
	Disposal *disposal = (Disposal *)task;
	bool is_client = disposal->is_client;

	g_assert(!thread_is_main() && disposal->fd >= 0);
	close(disposal->fd);
	g_free(disposal);
	if (is_client)
		count_down(&pending_sockets);
	count_down(&pending);
	return NULL;
}

static void push(Lanes *lanes, uint64_t key, int *fd, bool is_client)
{
	Disposal *disposal;
	bool accepted;

	if (*fd < 0)
		return;
	disposal = g_new0(Disposal, 1);
	disposal->task.run = disposal_run;
	disposal->fd = fd_steal(fd);
	disposal->is_client = is_client;
	if (is_client)
		atomic_fetch_add(&pending_sockets, 1);
	atomic_fetch_add(&pending, 1);
	accepted = lanes_push(lanes, key, &limits, &disposal->task);
	/* A patient lane refuses nothing. */
	g_assert(accepted);
}

void disposal_close(Lanes *lanes, int *fd)
{
	push(lanes, DISPOSAL_KEY, fd, false);
}

/* After the shutdown nothing more can get into the socket. */
static bool is_empty(int fd)
{
	int unread;

	return ioctl(fd, SIOCINQ, &unread) == 0 && unread == 0;
}

void disposal_close_socket(Lanes *lanes, int *fd)
{
	if (*fd < 0)
		return;
	shutdown(*fd, SHUT_RDWR);
	push(lanes, is_empty(*fd) ? EMPTY_SOCKET_KEY : DISPOSAL_KEY, fd, true);
}

void disposal_close_listener(Lanes *lanes, int *fd)
{
	push(lanes, LISTENER_KEY, fd, false);
}

unsigned int disposal_pending(void)
{
	return atomic_load(&pending);
}

unsigned int disposal_pending_sockets(void)
{
	return atomic_load(&pending_sockets);
}

void disposal_wait(unsigned int milliseconds)
{
	g_assert(thread_is_main());
	for (; milliseconds > 0 && disposal_pending() > 0; milliseconds--)
		g_usleep(1000);
}
