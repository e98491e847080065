/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for tasks of their queue that nobody pushes.
 */
#include "threads/thread-pool.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "testing.h"

#define THREADS 2

static const ThreadLimits limits = { .threads = THREADS };

/* What a thread finds when it has waited for the gate. */
typedef struct Find {
	ThreadNews news;
	Task *task;
} Find;

/* Where threads wait: each finds the next thing of the list, then quiet. */
typedef struct Place {
	ThreadWait wait; /* must be first */
	sem_t gate;
	Find finds[8];
	atomic_uint entered, next;
	atomic_uint alone; /* of those that entered */
	uint64_t key;
} Place;

/* A task that waits for its gate, if it has one, and then in the place. */
typedef struct Step {
	Task task; /* must be first */
	Place *place;
	sem_t *gate;
	atomic_uint started, ended;
} Step;

static ThreadPool *pool;
static Place place;

static void pass(sem_t *gate)
{
	while (sem_wait(gate) < 0)
		;
}

static ThreadNews place_wait(ThreadWait *wait, uint64_t key, bool alone,
			     Task **ret_task)
{
	Place *here = (Place *)wait;
	Find find;

	g_assert_cmpuint(key, ==, here->key);
	atomic_fetch_add(&here->alone, alone);
	atomic_fetch_add(&here->entered, 1);
	pass(&here->gate);
	find = here->finds[atomic_fetch_add(&here->next, 1)];
	*ret_task = find.task;
	return find.news;
}

static ThreadWait *step_run(Task *task)
{
	Step *step = (Step *)task;
	ThreadWait *wait = step->place ? &step->place->wait : NULL;

	atomic_fetch_add(&step->started, 1);
	if (step->gate)
		pass(step->gate);
	/* The last access: the test may end now. */
	atomic_fetch_add(&step->ended, 1);
	return wait;
}

static Step step_of(sem_t *gate)
{
	return (Step) { .task.run = step_run, .place = &place, .gate = gate };
}

static void start(unsigned int ceiling)
{
	static GPtrArray *all; /* they live on; not a leak */

	if (!all)
		all = g_ptr_array_new();
	pool = thread_pool_new(ceiling);
	g_ptr_array_add(all, pool);
	memset(&place, 0, sizeof(place));
	place.wait.wait = place_wait;
	place.key = 1;
	g_assert_no_errno(sem_init(&place.gate, 0, 0));
}

static void push(uint64_t key, Step *step)
{
	g_assert_true(thread_pool_push(pool, key, &limits, &step->task));
}

static void open_gate(sem_t *gate, unsigned int count)
{
	while (count-- > 0)
		g_assert_no_errno(sem_post(gate));
}

static void wait_entered(unsigned int count)
{
	wait_until(atomic_load(&place.entered) == count);
}

static void wait_ended(Step *step, unsigned int count)
{
	wait_until(atomic_load(&step->ended) == count);
}

/* All threads have left the place, and no task is left to be run. */
static void end(void)
{
	Step last = step_of(NULL);

	open_gate(&place.gate, 8);
	last.place = NULL;
	push(1, &last);
	wait_ended(&last, 1);
	wait_until(atomic_load(&place.next) == atomic_load(&place.entered));
}

/* On the same thread, again and again. */
static void test_found(void)
{
	Step step = step_of(NULL);

	start(1);
	for (unsigned int i = 0; i < 3; i++)
		place.finds[i] = (Find) { THREAD_TASK, &step.task };
	push(1, &step);
	open_gate(&place.gate, 3);
	wait_ended(&step, 4);
	wait_entered(4);
	g_assert_cmpuint(atomic_load(&place.alone), ==, 4);
	end();
}

static void test_nothing_yet(void)
{
	Step step = step_of(NULL);

	start(1);
	place.finds[0].news = THREAD_NOTHING;
	place.finds[1].news = THREAD_NOTHING;
	push(1, &step);
	open_gate(&place.gate, 2);
	wait_entered(3);
	g_assert_cmpuint(atomic_load(&step.ended), ==, 1);
	end();
}

static void test_quiet(void)
{
	Step step = step_of(NULL), other = step_of(NULL);

	start(1);
	other.place = NULL;
	push(1, &step);
	open_gate(&place.gate, 1);
	/* The only thread there may be has come back. */
	wait_entered(1);
	wait_until(thread_pool_push(pool, 2, &limits, &other.task));
	wait_ended(&other, 1);
	end();
}

/* Threads that wait take no place of the queue's. */
static void test_place_is_free(void)
{
	Step waits = step_of(NULL), steps[THREADS];
	sem_t gate;

	start(8);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	push(1, &waits);
	wait_entered(1);
	for (int i = 0; i < THREADS; i++) {
		steps[i] = step_of(&gate);
		steps[i].place = NULL;
		push(1, &steps[i]);
	}
	for (int i = 0; i < THREADS; i++)
		wait_until(atomic_load(&steps[i].started) == 1);
	open_gate(&gate, THREADS);
	for (int i = 0; i < THREADS; i++)
		wait_ended(&steps[i], 1);
	end();
}

/* What such a thread finds while the queue is full waits its turn. */
static void test_queue_is_full(void)
{
	Step waits = step_of(NULL), steps[THREADS], found = step_of(NULL);
	sem_t gate;

	start(8);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	found.place = NULL;
	place.finds[0] = (Find) { THREAD_TASK, &found.task };
	push(1, &waits);
	wait_entered(1);
	for (int i = 0; i < THREADS; i++) {
		steps[i] = step_of(&gate);
		steps[i].place = NULL;
		push(1, &steps[i]);
		wait_until(atomic_load(&steps[i].started) == 1);
	}
	open_gate(&place.gate, 1);
	wait_until(atomic_load(&place.next) == 1);
	/* Had it been run, it would have been before this one. */
	{
		Step elsewhere = step_of(NULL);

		elsewhere.place = NULL;
		push(2, &elsewhere);
		wait_ended(&elsewhere, 1);
	}
	g_assert_cmpuint(atomic_load(&found.started), ==, 0);
	open_gate(&gate, 1);
	wait_ended(&found, 1);
	open_gate(&gate, THREADS - 1);
	for (int i = 0; i < THREADS; i++)
		wait_ended(&steps[i], 1);
	end();
}

/* With others left in the place, one more thread comes to wait for them while
 * this one has its task. */
static void test_others_are_seen_to(void)
{
	Step step = step_of(NULL), busy;
	sem_t gate;

	start(8);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	busy = step_of(&gate);
	place.finds[0] = (Find) { THREAD_TASK_OF_MANY, &busy.task };
	push(1, &step);
	open_gate(&place.gate, 1);
	wait_entered(2);
	g_assert_cmpuint(atomic_load(&busy.ended), ==, 0);
	g_assert_cmpuint(atomic_load(&place.alone), ==, 1);
	open_gate(&gate, 1);
	wait_ended(&busy, 1);
	end();
}

/* Nor does a task that was pushed keep it from that. */
static void test_others_are_seen_to_with_tasks(void)
{
	Step step, busy, elsewhere;
	sem_t gate, busy_gate, elsewhere_gate;

	start(2);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	g_assert_no_errno(sem_init(&busy_gate, 0, 0));
	g_assert_no_errno(sem_init(&elsewhere_gate, 0, 0));
	step = step_of(&gate);
	busy = step_of(&busy_gate);
	elsewhere = step_of(&elsewhere_gate);
	busy.place = elsewhere.place = NULL;
	push(1, &step);
	push(2, &elsewhere);
	wait_until(atomic_load(&step.started) &&
		   atomic_load(&elsewhere.started));
	push(1, &busy);
	open_gate(&gate, 1);
	wait_until(atomic_load(&busy.started) == 1);
	open_gate(&elsewhere_gate, 1);
	wait_entered(1);
	g_assert_cmpuint(atomic_load(&busy.ended), ==, 0);
	open_gate(&busy_gate, 1);
	wait_ended(&busy, 1);
	wait_ended(&elsewhere, 1);
	end();
}

/* At the ceiling a thread does not wait while another queue needs it. */
static void test_needed_elsewhere(void)
{
	static const ThreadLimits patient = { .threads = 1, .patient = true };
	Step step, other = step_of(NULL);
	sem_t gate;

	start(1);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	step = step_of(&gate);
	other.place = NULL;
	push(1, &step);
	wait_until(atomic_load(&step.started) == 1);
	g_assert_true(thread_pool_push(pool, 2, &patient, &other.task));
	open_gate(&gate, 1);
	wait_ended(&other, 1);
	g_assert_cmpuint(atomic_load(&place.entered), ==, 0);
	end();
}

/* A queue counts on the only thread that waits in another one. */
static void test_awaited(void)
{
	Step step = step_of(NULL), other = step_of(NULL), third = step_of(NULL);

	start(1);
	other.place = third.place = NULL;
	push(1, &step);
	wait_entered(1);
	push(2, &other);
	g_assert_false(thread_pool_push(pool, 3, &limits, &third.task));
	open_gate(&place.gate, 1);
	wait_ended(&other, 1);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/wait/found", test_found);
	g_test_add_func("/wait/nothing-yet", test_nothing_yet);
	g_test_add_func("/wait/quiet", test_quiet);
	g_test_add_func("/wait/place-is-free", test_place_is_free);
	g_test_add_func("/wait/queue-is-full", test_queue_is_full);
	g_test_add_func("/wait/others-are-seen-to", test_others_are_seen_to);
	g_test_add_func("/wait/others-are-seen-to/with-tasks",
			test_others_are_seen_to_with_tasks);
	g_test_add_func("/wait/needed-elsewhere", test_needed_elsewhere);
	g_test_add_func("/wait/awaited", test_awaited);
	return g_test_run();
}
