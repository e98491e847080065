/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches on pipes, driven by turns of the default main context.
 */
#include "base/poller.h"

#include <sys/epoll.h>

#include "looping.h"

#define MANY 100

typedef struct Pipe {
	Watch watch; /* must be first: callbacks get it */
	int writer;
	unsigned int calls;
	uint32_t events; /* of the last call */
	struct Pipe *victim;
} Pipe;

static Poller *poller;

static void counted(Watch *watch, uint32_t events)
{
	Pipe *pipe = (Pipe *)watch;

	pipe->calls++;
	pipe->events = events;
}

static void pipe_open(Pipe *pipe, void (*ready)(Watch *, uint32_t))
{
	*pipe = (Pipe) { .watch.ready = ready };
	pipe->watch.fd = descriptor_new(&pipe->writer);
}

static void pipe_close(Pipe *pipe)
{
	close(pipe->watch.fd);
	close(pipe->writer);
}

static void pipe_fill(Pipe *pipe)
{
	g_assert_cmpint(write(pipe->writer, "x", 1), ==, 1);
}

static void start(void)
{
	g_autoptr(GError) error = NULL;

	poller = poller_new(&error);
	g_assert_no_error(error);
	g_assert_nonnull(poller);
}

static void end(void)
{
	g_clear_pointer(&poller, poller_free);
	g_assert_false(g_main_context_pending(NULL));
}

static void turn(void)
{
	g_main_context_iteration(NULL, FALSE);
}

static void test_ready(void)
{
	Pipe pipe;

	start();
	pipe_open(&pipe, counted);
	g_assert_true(poller_add(poller, &pipe.watch, EPOLLIN));
	g_assert_cmphex(pipe.watch.events, ==, EPOLLIN);
	turn();
	g_assert_cmpuint(pipe.calls, ==, 0);
	pipe_fill(&pipe);
	turn();
	g_assert_cmpuint(pipe.calls, ==, 1);
	g_assert_cmphex(pipe.events, ==, EPOLLIN);
	/* Level-triggered: the byte is still there. */
	turn();
	g_assert_cmpuint(pipe.calls, ==, 2);
	poller_remove(poller, &pipe.watch);
	turn();
	g_assert_cmpuint(pipe.calls, ==, 2);
	pipe_close(&pipe);
	end();
}

/* A blocking turn of the loop wakes for it. */
static void test_wakes(void)
{
	Pipe pipe;

	start();
	pipe_open(&pipe, counted);
	g_assert_true(poller_add(poller, &pipe.watch, EPOLLIN));
	pipe_fill(&pipe);
	run_until(pipe.calls > 0);
	poller_remove(poller, &pipe.watch);
	pipe_close(&pipe);
	end();
}

static void test_modify(void)
{
	Pipe pipe;

	start();
	pipe_open(&pipe, counted);
	g_assert_true(poller_add(poller, &pipe.watch, EPOLLIN));
	pipe_fill(&pipe);
	poller_modify(poller, &pipe.watch, 0);
	turn();
	g_assert_cmpuint(pipe.calls, ==, 0);
	poller_modify(poller, &pipe.watch, EPOLLIN);
	poller_modify(poller, &pipe.watch, EPOLLIN);
	turn();
	g_assert_cmpuint(pipe.calls, ==, 1);
	poller_remove(poller, &pipe.watch);
	pipe_close(&pipe);
	end();
}

static void test_hangup_always(void)
{
	Pipe pipe;

	start();
	pipe_open(&pipe, counted);
	g_assert_true(poller_add(poller, &pipe.watch, 0));
	turn();
	g_assert_cmpuint(pipe.calls, ==, 0);
	fd_clear(&pipe.writer);
	turn();
	g_assert_cmpuint(pipe.calls, ==, 1);
	g_assert_cmphex(pipe.events, ==, EPOLLHUP);
	poller_remove(poller, &pipe.watch);
	close(pipe.watch.fd);
	end();
}

static void test_refused(void)
{
	g_autofree char *directory = directory_new();
	autofd fd = open(directory, O_RDONLY | O_DIRECTORY);
	Watch watch = { .fd = fd, .ready = counted };

	start();
	g_assert_false(poller_add(poller, &watch, EPOLLIN));
	g_assert_cmpint(errno, ==, EPERM);
	end();
	directory_remove(directory);
}

static void test_free_nothing(void)
{
	poller_free(NULL);
}

static void remove_self(Watch *watch, uint32_t events)
{
	counted(watch, events);
	poller_remove(poller, watch);
}

static void test_remove_self(void)
{
	Pipe pipe;

	start();
	pipe_open(&pipe, remove_self);
	g_assert_true(poller_add(poller, &pipe.watch, EPOLLIN));
	pipe_fill(&pipe);
	for (int i = 0; i < 3; i++)
		turn();
	g_assert_cmpuint(pipe.calls, ==, 1);
	pipe_close(&pipe);
	end();
}

static void remove_victim(Watch *watch, uint32_t events)
{
	Pipe *pipe = (Pipe *)watch;

	counted(watch, events);
	poller_remove(poller, &pipe->victim->watch);
	/* As its owner would. */
	memset(&pipe->victim->watch, 0x5a, sizeof(Watch));
}

/* Both are ready in the same turn: whichever is called first, the other must
 * not be. */
static void test_remove_fetched(void)
{
	Pipe pipes[2];

	start();
	for (int i = 0; i < 2; i++) {
		pipe_open(&pipes[i], remove_victim);
		pipes[i].victim = &pipes[1 - i];
		g_assert_true(poller_add(poller, &pipes[i].watch, EPOLLIN));
		pipe_fill(&pipes[i]);
	}
	int readers[2] = { pipes[0].watch.fd, pipes[1].watch.fd };
	turn();
	g_assert_cmpuint(pipes[0].calls + pipes[1].calls, ==, 1);
	for (int i = 0; i < 2; i++) {
		close(readers[i]);
		close(pipes[i].writer);
	}
	end();
}

static Pipe many[MANY];

static void remove_all_others(Watch *watch, uint32_t events)
{
	counted(watch, events);
	for (int i = 0; i < MANY; i++)
		if (&many[i].watch != watch)
			poller_remove(poller, &many[i].watch);
}

static void test_remove_all_others(void)
{
	unsigned int calls = 0;

	start();
	for (int i = 0; i < MANY; i++) {
		pipe_open(&many[i], remove_all_others);
		g_assert_true(poller_add(poller, &many[i].watch, EPOLLIN));
		pipe_fill(&many[i]);
	}
	turn();
	turn();
	for (int i = 0; i < MANY; i++) {
		calls += many[i].calls > 0;
		pipe_close(&many[i]);
	}
	g_assert_cmpuint(calls, ==, 1);
	end();
}

static void replace_victim(Watch *watch, uint32_t events)
{
	Pipe *pipe = (Pipe *)watch;

	counted(watch, events);
	if (!pipe->victim)
		return;
	poller_remove(poller, &pipe->victim->watch);
	pipe_close(pipe->victim);
	pipe_open(pipe->victim, replace_victim);
	g_assert_true(poller_add(poller, &pipe->victim->watch, EPOLLIN));
}

/* The memory and the descriptor's number are used again at once: the old
 * one's event must not reach the new one. */
static void test_replace_fetched(void)
{
	Pipe pipes[2];

	start();
	for (int i = 0; i < 2; i++) {
		pipe_open(&pipes[i], replace_victim);
		pipes[i].victim = &pipes[1 - i];
		g_assert_true(poller_add(poller, &pipes[i].watch, EPOLLIN));
		pipe_fill(&pipes[i]);
	}
	turn();
	g_assert_cmpuint(pipes[0].calls + pipes[1].calls, ==, 1);
	for (int i = 0; i < 2; i++) {
		poller_remove(poller, &pipes[i].watch);
		pipe_close(&pipes[i]);
	}
	end();
}

/* More than are fetched at once, and none is left behind. */
static void test_many(void)
{
	start();
	for (int i = 0; i < MANY; i++) {
		pipe_open(&many[i], counted);
		g_assert_true(poller_add(poller, &many[i].watch, EPOLLIN));
		pipe_fill(&many[i]);
	}
	for (int i = 0; i < 4; i++)
		turn();
	for (int i = 0; i < MANY; i++) {
		g_assert_cmpuint(many[i].calls, >, 0);
		poller_remove(poller, &many[i].watch);
		pipe_close(&many[i]);
	}
	end();
}

static GString *course;

static void note_turn(void *data)
{
	g_assert_true(data == &course);
	g_string_append_c(course, 't');
}

static void note_event(Watch *watch, uint32_t events)
{
	char byte;

	(void)events;
	while (read(watch->fd, &byte, 1) > 0)
		;
	g_string_append_c(course, 'e');
}

/* Once for all events of a turn, before the first of them. */
static void test_on_turn(void)
{
	Pipe pipes[2];

	start();
	course = g_string_new(NULL);
	poller_on_turn(poller, note_turn, &course);
	for (int i = 0; i < 2; i++) {
		pipe_open(&pipes[i], note_event);
		g_assert_true(poller_add(poller, &pipes[i].watch, EPOLLIN));
		pipe_fill(&pipes[i]);
	}
	turn();
	g_assert_cmpstr(course->str, ==, "tee");
	turn();
	g_assert_cmpstr(course->str, ==, "tee");
	pipe_fill(&pipes[0]);
	turn();
	g_assert_cmpstr(course->str, ==, "teete");
	poller_on_turn(poller, NULL, NULL);
	pipe_fill(&pipes[1]);
	turn();
	g_assert_cmpstr(course->str, ==, "teetee");
	for (int i = 0; i < 2; i++) {
		poller_remove(poller, &pipes[i].watch);
		pipe_close(&pipes[i]);
	}
	g_string_free(course, TRUE);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/poller/ready", test_ready);
	g_test_add_func("/poller/wakes", test_wakes);
	g_test_add_func("/poller/modify", test_modify);
	g_test_add_func("/poller/hangup-always", test_hangup_always);
	g_test_add_func("/poller/refused", test_refused);
	g_test_add_func("/poller/free-nothing", test_free_nothing);
	g_test_add_func("/poller/remove/self", test_remove_self);
	g_test_add_func("/poller/remove/fetched", test_remove_fetched);
	g_test_add_func("/poller/remove/all-others", test_remove_all_others);
	g_test_add_func("/poller/remove/replace-fetched", test_replace_fetched);
	g_test_add_func("/poller/many", test_many);
	g_test_add_func("/poller/on-turn", test_on_turn);
	return g_test_run();
}
