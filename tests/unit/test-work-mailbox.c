/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Letters from threads to a real main loop.
 */
#include "work/mailbox.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "looping.h"

static Poller *poller;
static Mailbox mailbox;
static unsigned int collected;

typedef struct Letter {
	GList link;
	unsigned int taken;
} Letter;

static void collect(void *data)
{
	GQueue letters = mailbox_take(&mailbox);
	GList *link;

	g_assert_true(data == &collected);
	while ((link = g_queue_pop_head_link(&letters))) {
		((Letter *)link->data)->taken = ++collected;
	}
}

static void start(void)
{
	g_autoptr(GError) error = NULL;

	collected = 0;
	poller = poller_new(&error);
	g_assert_no_error(error);
	g_assert_true(mailbox_init(&mailbox, poller, collect, &collected));
}

static void end(void)
{
	mailbox_deinit(&mailbox);
	g_clear_pointer(&poller, poller_free);
}

static void put(Letter *letter, bool wake)
{
	*letter = (Letter) { .link.data = letter };
	mailbox_lock(&mailbox);
	mailbox_put(&mailbox, &letter->link);
	if (wake)
		mailbox_wake(&mailbox);
	mailbox_unlock(&mailbox);
}

static gpointer put_from_thread(gpointer data)
{
	put(data, true);
	return NULL;
}

static void test_wake(void)
{
	Letter letters[3];

	start();
	/* Again and again: a wake-up is spent only once. */
	for (unsigned int round = 0; round < 3; round++) {
		GThread *thread =
			g_thread_new("put", put_from_thread, &letters[round]);

		run_until(collected >= round + 1);
		g_thread_join(thread);
		run_pending();
	}
	end();
}

static void test_no_wake(void)
{
	Letter first, second;

	start();
	put(&first, false);
	g_assert_false(g_main_context_pending(NULL));
	run_pending();
	g_assert_cmpuint(collected, ==, 0);
	/* One that wakes brings the others along, in order. */
	put(&second, true);
	run_until(collected >= 2);
	g_assert_cmpuint(first.taken, ==, 1);
	g_assert_cmpuint(second.taken, ==, 2);
	run_pending();
	g_assert_false(g_main_context_pending(NULL));
	end();
}

static unsigned int collected_at_event;

static void client_ready(Watch *watch, uint32_t events)
{
	(void)events;
	poller_remove(poller, watch);
	collected_at_event = collected;
}

/* Before any client's event is seen. */
static void test_turn(void)
{
	Watch watch = { .fd = eventfd(1, EFD_CLOEXEC), .ready = client_ready };
	Letter letter;

	start();
	put(&letter, false);
	collected_at_event = 77;
	g_assert_true(poller_add(poller, &watch, EPOLLIN));
	run_until(collected >= 1);
	run_pending();
	g_assert_cmpuint(collected_at_event, ==, 1);
	close(watch.fd);
	end();
}

/* Threads outlive the loop. */
static void test_after_end(void)
{
	Letter letter;
	GQueue left;

	start();
	end();
	put(&letter, true);
	left = mailbox_take(&mailbox);
	g_assert_cmpuint(left.length, ==, 1);
	g_assert_cmpuint(collected, ==, 0);
	g_assert_false(g_main_context_pending(NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mailbox/wake", test_wake);
	g_test_add_func("/mailbox/no-wake", test_no_wake);
	g_test_add_func("/mailbox/turn", test_turn);
	g_test_add_func("/mailbox/after-end", test_after_end);
	return g_test_run();
}
