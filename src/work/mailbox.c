/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue under a lock, and an eventfd. The hard rule: a letter that was put
 * before a client could know of it is taken before that client's next request
 * is seen, because each turn of the loop takes the lock first.
 */
#include "work/mailbox.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/thread.h"

/* Whether this thread holds a mailbox's lock. */
static _Thread_local bool locked;

static void mailbox_ready(Watch *watch, uint32_t events)
{
	Mailbox *mailbox = container_of(watch, Mailbox, watch);
	uint64_t count;

	(void)events;
	g_assert(thread_is_main());
	(void)!read(watch->fd, &count, sizeof(count));
	mailbox->collect(mailbox->data);
}

bool mailbox_init(Mailbox *mailbox, Poller *poller, void (*collect)(void *data),
		  void *data)
{
	g_assert(thread_is_main() && collect);
	pthread_mutex_init(&mailbox->lock, NULL);
	g_queue_init(&mailbox->letters);
	mailbox->woken = false;
	mailbox->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	mailbox->watch =
		(Watch) { .fd = mailbox->eventfd, .ready = mailbox_ready };
	mailbox->poller = poller;
	mailbox->collect = collect;
	mailbox->data = data;
	poller_on_turn(poller, collect, data);
	return mailbox->eventfd >= 0 &&
	       poller_add(poller, &mailbox->watch, EPOLLIN);
}

void mailbox_deinit(Mailbox *mailbox)
{
	g_assert(thread_is_main());
	poller_on_turn(mailbox->poller, NULL, NULL);
	if (mailbox->eventfd >= 0)
		poller_remove(mailbox->poller, &mailbox->watch);
	/* Not while a thread writes to it. */
	mailbox_lock(mailbox);
	fd_clear(&mailbox->eventfd);
	mailbox_unlock(mailbox);
}

void mailbox_lock(Mailbox *mailbox)
{
	g_assert(!locked);
	pthread_mutex_lock(&mailbox->lock);
	locked = true;
}

void mailbox_unlock(Mailbox *mailbox)
{
	g_assert(locked);
	locked = false;
	pthread_mutex_unlock(&mailbox->lock);
}

bool mailbox_is_locked(void)
{
	return locked;
}

void mailbox_put(Mailbox *mailbox, GList *letter)
{
	g_assert(locked);
	g_assert(letter->data && !letter->next && !letter->prev);
	g_queue_push_tail_link(&mailbox->letters, letter);
}

void mailbox_wake(Mailbox *mailbox)
{
	static const uint64_t one = 1;

	g_assert(locked);
	if (mailbox->woken)
		return;
	mailbox->woken = true;
	/* Fails where there is nobody to be woken any more. */
	(void)!write(mailbox->eventfd, &one, sizeof(one));
}

GQueue mailbox_take(Mailbox *mailbox)
{
	GQueue letters;

	g_assert(thread_is_main());
	mailbox_lock(mailbox);
	letters = mailbox->letters;
	g_queue_init(&mailbox->letters);
	mailbox->woken = false;
	mailbox_unlock(mailbox);
	return letters;
}
