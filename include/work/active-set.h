/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients that are active on one device: each was answered a moment ago and
 * is likely to send its next command at once. The device's own threads wait for
 * all of them together and read what comes, so that such a command does not go
 * by way of the main loop, whether it is one client's or a crowd's.
 *
 * A client joins when its reply is sent, and leaves with its next command, or
 * when it has been silent for too long, or when the main loop takes it away.
 * Nobody reads from a client that is in a set.
 *
 * All of it is called under the job host's lock, except active_set_poll().
 */
#ifndef ACTIVE_SET_H
#define ACTIVE_SET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "threads/thread-pool.h"

/* How long a silent client stays, in microseconds: longer than QEMU takes to
 * send the next of several commands, and shorter than anybody would notice. */
#define ACTIVE_SET_SILENCE_US ((int64_t)10 * 1000)

/* Devices that can have a set at a time. Each takes one descriptor. */
#define ACTIVE_SETS_MAX 32

typedef struct ActiveSet ActiveSet;
typedef struct ActiveMember ActiveMember;

/* A client, embedded in its job. */
struct ActiveMember {
	ActiveSet *set; /* NULL: it is in none */
	int socket;     /* borrowed */
	int64_t since;  /* when it was answered, in microseconds */
	bool armed;     /* epoll watches it */
	GList link;     /* in the set; its data is the member */
};

/* All sets. */
typedef struct ActiveSets {
	GPtrArray *sets;    /* of ActiveSet; once made, they stay */
	GPtrArray *members; /* of ActiveMember, by socket; most are NULL */
	ThreadNews (*wait)(ThreadWait *wait, uint64_t key, bool alone,
			   Task **ret_task);
	void *host;
} ActiveSets;

struct ActiveSet {
	ThreadWait wait;
	ActiveSets *sets;
	uint64_t key; /* the device's */
	int epoll;
	GQueue members;      /* of ActiveMember; the longest silent is first */
	unsigned int inside; /* threads in wait() */
	bool attended;       /* a thread has waited since the last look */
};

/* `wait` is what a device's thread does in a set: see ThreadWait. */
void active_sets_init(ActiveSets *sets, void *host,
		      ThreadNews (*wait)(ThreadWait *wait, uint64_t key,
					 bool alone, Task **ret_task));

/* False: nothing is freed, as threads may still come to a set. */
bool active_sets_deinit(ActiveSets *sets);

/* The device's set, if it has members; else NULL. */
ActiveSet *active_sets_find(const ActiveSets *sets, uint64_t key);

/* Puts a client into its device's set, silent since then; threads that wait in
 * it watch that one, too. NULL: no set is to be had. */
ActiveSet *active_sets_join(ActiveSets *sets, uint64_t key,
			    ActiveMember *member, int socket, int64_t since);

/* Takes a client out of its set. */
void active_set_leave(ActiveMember *member);

/* Makes epoll watch the members that it does not watch yet. */
void active_set_arm(ActiveSet *set);

/* Any thread, without the lock: waits until one of the watched clients sends
 * something, at most ACTIVE_SET_SILENCE_US. Returns its socket, or -1. Epoll
 * does not watch that one any longer. */
int active_set_poll(ActiveSet *set);

/* The member with the socket that active_set_poll() has returned, or NULL if it
 * has left since. */
ActiveMember *active_set_member(const ActiveSet *set, int socket);

#endif
