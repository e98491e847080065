/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors watched by the GLib main loop through one epoll descriptor.
 * GLib polls each of its descriptors on every turn; with thousands of idle
 * clients that would be most of the work, so it gets one to poll.
 *
 * Main loop thread only. Level-triggered.
 */
#ifndef POLLER_H
#define POLLER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Poller Poller;

/* Embedded in what owns the descriptor; must be removed before either ends.
 * The callback may remove this watch and any other. */
typedef struct Watch {
	int fd; /* borrowed */
	void (*ready)(struct Watch *watch, uint32_t events);
	uint32_t events; /* EPOLL* that it waits for */
} Watch;

/* Attached to the default main context. NULL with *error set on failure. */
Poller *poller_new(GError **error);
void poller_free(Poller *poller);

/* Calls `turn` on each turn in which descriptors are ready, after their events
 * were fetched and before the first of them is delivered. */
void poller_on_turn(Poller *poller, void (*turn)(void *data), void *data);

/* False with errno set, where the kernel refuses. */
bool poller_add(Poller *poller, Watch *watch, uint32_t events);

/* Changes what the watch waits for; costs nothing where that is the same.
 * EPOLLHUP and EPOLLERR are always reported. */
void poller_modify(Poller *poller, Watch *watch, uint32_t events);

void poller_remove(Poller *poller, Watch *watch);

#endif
