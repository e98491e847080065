/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is in which set, and what epoll says of it. One thread only: the lock is
 * the caller's.
 */
#include "work/active-set.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include "testing.h"

#define CLIENTS 3

typedef struct Client {
	int ours, theirs;
	ActiveMember member;
} Client;

static ActiveSets sets;
static Client clients[CLIENTS];

static ThreadNews no_wait(ThreadWait *wait, uint64_t key, bool alone,
			  Task **ret_task)
{
	(void)wait;
	(void)key;
	(void)alone;
	(void)ret_task;
	return THREAD_QUIET;
}

static void start(void)
{
	int ends[2];

	active_sets_init(&sets, &sets, no_wait);
	for (int i = 0; i < CLIENTS; i++) {
		g_assert_no_errno(socketpair(
			AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
		clients[i] = (Client) { .ours = ends[0], .theirs = ends[1] };
	}
}

static ActiveSet *join(uint64_t key, int i)
{
	return active_sets_join(&sets, key, &clients[i].member, clients[i].ours,
				100 + i);
}

static void end(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].member.set)
			active_set_leave(&clients[i].member);
		close(clients[i].ours);
		close(clients[i].theirs);
	}
	/* Threads may still come to them: they are never freed. */
	g_assert_cmpint(active_sets_deinit(&sets), ==, sets.sets->len == 0);
	for (guint i = 0; i < sets.sets->len; i++) {
		close(((ActiveSet *)sets.sets->pdata[i])->epoll);
		g_free(sets.sets->pdata[i]);
	}
	g_ptr_array_unref(sets.sets);
	g_ptr_array_unref(sets.members);
}

static void send_byte(int i)
{
	g_assert_cmpint(send(clients[i].theirs, "x", 1, 0), ==, 1);
}

static void test_join_and_leave(void)
{
	ActiveSet *set;

	start();
	g_assert_null(active_sets_find(&sets, 1));
	set = join(1, 0);
	g_assert_nonnull(set);
	g_assert_true(join(1, 1) == set);
	g_assert_true(join(2, 2) != set);
	g_assert_true(active_sets_find(&sets, 1) == set);
	g_assert_cmpuint(set->members.length, ==, 2);
	g_assert_true(set->members.head->data == &clients[0].member);
	g_assert_true(active_set_member(set, clients[1].ours) ==
		      &clients[1].member);
	g_assert_null(active_set_member(set, clients[2].ours));
	g_assert_null(active_set_member(set, 10000));
	active_set_leave(&clients[0].member);
	g_assert_null(clients[0].member.set);
	g_assert_null(active_set_member(set, clients[0].ours));
	active_set_leave(&clients[1].member);
	g_assert_null(active_sets_find(&sets, 1));
	end();
}

/* Threads that wait already see who joins. */
static void test_join_while_polled(void)
{
	ActiveSet *set;

	start();
	set = join(1, 0);
	set->inside = 1;
	join(1, 1);
	send_byte(1);
	g_assert_cmpint(active_set_poll(set), ==, clients[1].ours);
	set->inside = 0;
	end();
}

/* One event for one thread; then it is not watched until it is armed again. */
static void test_poll(void)
{
	ActiveSet *set;
	int socket;

	start();
	set = join(1, 0);
	join(1, 1);
	active_set_arm(set);
	g_assert_cmpint(active_set_poll(set), ==, -1);
	send_byte(1);
	socket = active_set_poll(set);
	g_assert_cmpint(socket, ==, clients[1].ours);
	g_assert_cmpint(active_set_poll(set), ==, -1);
	clients[1].member.armed = false;
	active_set_leave(&clients[1].member);
	/* What it has sent is still there. */
	join(1, 1);
	g_assert_cmpint(active_set_poll(set), ==, -1);
	active_set_arm(set);
	g_assert_cmpint(active_set_poll(set), ==, clients[1].ours);
	end();
}

/* A client that has left causes no event. */
static void test_left(void)
{
	ActiveSet *set;

	start();
	set = join(1, 0);
	active_set_arm(set);
	active_set_leave(&clients[0].member);
	send_byte(0);
	g_assert_cmpint(active_set_poll(set), ==, -1);
	end();
}

static void test_gone(void)
{
	ActiveSet *set;

	start();
	set = join(1, 0);
	active_set_arm(set);
	shutdown(clients[0].theirs, SHUT_RDWR);
	g_assert_cmpint(active_set_poll(set), ==, clients[0].ours);
	end();
}

/* A set that nobody uses serves another device, but not while a thread is in
 * it. */
static void test_reuse(void)
{
	ActiveSet *set;

	start();
	set = join(1, 0);
	active_set_leave(&clients[0].member);
	g_assert_true(join(2, 0) == set);
	g_assert_cmpuint(set->key, ==, 2);
	active_set_leave(&clients[0].member);
	set->inside = 1;
	g_assert_true(join(3, 0) != set);
	g_assert_cmpuint(set->key, ==, 2);
	g_assert_true(join(2, 1) == set);
	end();
}

static void test_limit(void)
{
	ActiveMember members[ACTIVE_SETS_MAX];

	start();
	memset(members, 0, sizeof(members));
	for (unsigned int i = 0; i < ACTIVE_SETS_MAX; i++)
		g_assert_nonnull(active_sets_join(&sets, 10 + i, &members[i],
						  1000 + (int)i, 1));
	g_assert_null(join(1, 0));
	g_assert_null(clients[0].member.set);
	g_assert_nonnull(join(10, 0));
	for (unsigned int i = 0; i < ACTIVE_SETS_MAX; i++)
		active_set_leave(&members[i]);
	end();
}

/* For lack of a descriptor. */
static void test_no_descriptor(void)
{
	struct rlimit before, none;

	start();
	g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &before));
	none = (struct rlimit) { 0, before.rlim_max };
	g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &none));
	g_assert_null(join(1, 0));
	g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &before));
	g_assert_null(clients[0].member.set);
	g_assert_nonnull(join(1, 0));
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/active-set/join-and-leave", test_join_and_leave);
	g_test_add_func("/active-set/join-while-polled",
			test_join_while_polled);
	g_test_add_func("/active-set/poll", test_poll);
	g_test_add_func("/active-set/left", test_left);
	g_test_add_func("/active-set/gone", test_gone);
	g_test_add_func("/active-set/reuse", test_reuse);
	g_test_add_func("/active-set/limit", test_limit);
	g_test_add_func("/active-set/no-descriptor", test_no_descriptor);
	return g_test_run();
}
