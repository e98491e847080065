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

#include "base/fd.h"

static void ready(Watch *watch, uint32_t events)
{
	Mailbox *mailbox =
		(Mailbox *)((char *)watch - offsetof(Mailbox, watch));
	uint64_t count;

	(void)events;
	(void)!read(watch->fd, &count, sizeof(count));
	mailbox->collect(mailbox->data);
}

bool mailbox_init(Mailbox *mailbox, Poller *poller, void (*collect)(void *data),
		  void *data)
{
	pthread_mutex_init(&mailbox->lock, NULL);
	g_queue_init(&mailbox->letters);
	mailbox->woken = false;
	mailbox->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	mailbox->watch = (Watch) { .fd = mailbox->eventfd, .ready = ready };
	mailbox->poller = poller;
	mailbox->collect = collect;
	mailbox->data = data;
	poller_on_turn(poller, collect, data);
	return mailbox->eventfd >= 0 &&
	       poller_add(poller, &mailbox->watch, EPOLLIN);
}

void mailbox_deinit(Mailbox *mailbox)
{
	poller_on_turn(mailbox->poller, NULL, NULL);
	if (mailbox->eventfd >= 0)
		poller_remove(mailbox->poller, &mailbox->watch);
	/* Not while a thread writes to it. */
	pthread_mutex_lock(&mailbox->lock);
	fd_clear(&mailbox->eventfd);
	pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_put(Mailbox *mailbox, GList *letter)
{
	g_queue_push_tail_link(&mailbox->letters, letter);
}

void mailbox_wake(Mailbox *mailbox)
{
	static const uint64_t one = 1;

	if (mailbox->woken)
		return;
	mailbox->woken = true;
	/* Fails where there is nobody to be woken any more. */
	(void)!write(mailbox->eventfd, &one, sizeof(one));
}

GQueue mailbox_take(Mailbox *mailbox)
{
	GQueue letters;

	pthread_mutex_lock(&mailbox->lock);
	letters = mailbox->letters;
	g_queue_init(&mailbox->letters);
	mailbox->woken = false;
	pthread_mutex_unlock(&mailbox->lock);
	return letters;
}
