/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What threads have finished, on its way to the main loop. Threads put letters
 * in; the main loop takes them out with each turn, and is woken only for those
 * that cannot wait for the next one.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/poller.h"

typedef struct Mailbox {
	/* Private; the lock is also the parameter of pthread_cond_wait(). */
	pthread_mutex_t lock;
	GQueue letters;
	bool woken; /* the eventfd was written and not yet read */
	int eventfd;
	Watch watch;
	Poller *poller;
	void (*collect)(void *data);
	void *data;
} Mailbox;

/* Borrows the poller. `collect` is called on the main loop with each turn, and
 * when it was woken; it is to take the letters. False with errno set on
 * failure; deinit is due all the same. */
bool mailbox_init(Mailbox *mailbox, Poller *poller, void (*collect)(void *data),
		  void *data);

/* Main loop: nothing is collected any more. Threads may still put and wake. */
void mailbox_deinit(Mailbox *mailbox);

/* The lock is for what the letters are about, as well: see job.h. Nothing
 * blocks under it. Any thread; a thread holds one mailbox's lock at most. */
void mailbox_lock(Mailbox *mailbox);
void mailbox_unlock(Mailbox *mailbox);

/* Whether this thread holds a mailbox's lock. For assertions. */
bool mailbox_is_locked(void);

/* Under the lock, on any thread. Letters are embedded in what they are about,
 * their data points to it. */
void mailbox_put(Mailbox *mailbox, GList *letter);
void mailbox_wake(Mailbox *mailbox);

/* All of them. Main loop; takes the lock. */
GQueue mailbox_take(Mailbox *mailbox);

#endif
