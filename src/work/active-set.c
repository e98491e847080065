/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One epoll set per device. Each client is watched for one event only, so the
 * kernel gives it to one thread. The hard rule: what epoll returns is a number,
 * looked up under the lock; a client that has left meanwhile is not found, and
 * one that got the same number since has sent something or is watched again.
 */
#include "work/active-set.h"

#include <errno.h>
#include <sys/epoll.h>

void active_sets_init(ActiveSets *sets, void *host,
		      ThreadNews (*wait)(ThreadWait *wait, uint64_t key,
					 bool alone, Task **ret_task))
{
	sets->sets = g_ptr_array_new();
	sets->members = g_ptr_array_new();
	sets->wait = wait;
	sets->host = host;
}

bool active_sets_deinit(ActiveSets *sets)
{
	if (sets->sets->len > 0)
		return false;
	g_ptr_array_unref(sets->sets);
	g_ptr_array_unref(sets->members);
	return true;
}

ActiveSet *active_sets_find(const ActiveSets *sets, uint64_t key)
{
	for (guint i = 0; i < sets->sets->len; i++) {
		ActiveSet *set = sets->sets->pdata[i];

		if (set->key == key && set->members.length > 0)
			return set;
	}
	return NULL;
}

static ActiveSet *active_set_new(ActiveSets *sets)
{
	ActiveSet *set;
	int epoll;

	if (sets->sets->len >= ACTIVE_SETS_MAX)
		return NULL;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return NULL;
	set = g_new0(ActiveSet, 1);
	set->wait.wait = sets->wait;
	set->sets = sets;
	set->epoll = epoll;
	g_ptr_array_add(sets->sets, set);
	return set;
}

/* One that nobody uses becomes this device's. */
static ActiveSet *active_set_for(ActiveSets *sets, uint64_t key)
{
	ActiveSet *unused = NULL;

	for (guint i = 0; i < sets->sets->len; i++) {
		ActiveSet *set = sets->sets->pdata[i];

		if (set->key == key)
			return set;
		if (set->members.length == 0 && set->inside == 0)
			unused = set;
	}
	if (!unused)
		unused = active_set_new(sets);
	if (unused)
		unused->key = key;
	return unused;
}

ActiveSet *active_sets_join(ActiveSets *sets, uint64_t key,
			    ActiveMember *member, int socket, int64_t since)
{
	ActiveSet *set = active_set_for(sets, key);

	g_assert(!member->set && socket >= 0);
	if (!set)
		return NULL;
	*member = (ActiveMember) { .set = set,
				   .socket = socket,
				   .since = since,
				   .link.data = member };
	g_queue_push_tail_link(&set->members, &member->link);
	if ((guint)socket >= sets->members->len)
		g_ptr_array_set_size(sets->members, socket + 1);
	sets->members->pdata[socket] = member;
	/* Nobody else may come to do so before these have waited in vain. */
	if (set->inside > 0)
		active_set_arm(set);
	return set;
}

void active_set_leave(ActiveMember *member)
{
	ActiveSet *set = g_steal_pointer(&member->set);

	g_assert(set);
	g_queue_unlink(&set->members, &member->link);
	set->sets->members->pdata[member->socket] = NULL;
	if (member->armed)
		epoll_ctl(set->epoll, EPOLL_CTL_DEL, member->socket, NULL);
	member->armed = false;
}

static void active_set_watch(const ActiveSet *set, int socket)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT,
				     .data.fd = socket };

	/* As a rule it has been in here before. Without memory for it, the
	 * client goes back to the main loop as if it were silent. */
	if (epoll_ctl(set->epoll, EPOLL_CTL_MOD, socket, &event) < 0 &&
	    errno == ENOENT)
		epoll_ctl(set->epoll, EPOLL_CTL_ADD, socket, &event);
}

void active_set_arm(ActiveSet *set)
{
	/* Those that are not watched yet came last. */
	for (GList *link = set->members.tail; link; link = link->prev) {
		ActiveMember *member = link->data;

		if (member->armed)
			break;
		member->armed = true;
		active_set_watch(set, member->socket);
	}
}

int active_set_poll(ActiveSet *set)
{
	struct epoll_event event;
	int count = epoll_wait(set->epoll, &event, 1,
			       (int)(ACTIVE_SET_SILENCE_US / 1000));

	return count == 1 ? event.data.fd : -1;
}

ActiveMember *active_set_member(const ActiveSet *set, int socket)
{
	ActiveMember *member = (guint)socket < set->sets->members->len
				       ? set->sets->members->pdata[socket]
				       : NULL;

	return member && member->set == set ? member : NULL;
}
