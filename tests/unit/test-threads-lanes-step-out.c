/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks that leave their lane while their thread goes on, and come back.
 */
#include "threads/lanes.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "testing.h"

static Lanes *lanes;

static const LaneLimits one = { .threads = 1 };
static const LaneLimits patient = { .threads = 1, .patient = true };

/* A task that waits for its gate in its lane, and then outside of it. */
typedef struct Step {
	Task task; /* must be first */
	uint64_t key;
	sem_t inside, outside;
	unsigned int rounds; /* times to push itself back */
	atomic_uint started, stepped_out, ended;
	atomic_bool refused; /* the lane had use for the thread */
	atomic_bool pushed;  /* what lanes_push_back() said */
} Step;

static void wait_for(sem_t *gate)
{
	while (sem_wait(gate) < 0)
		;
}

static void step_run(Task *task)
{
	Step *step = (Step *)task;

	atomic_fetch_add(&step->started, 1);
	wait_for(&step->inside);
	if (!lanes_step_out(lanes)) {
		atomic_store(&step->refused, true);
		atomic_fetch_add(&step->ended, 1);
		return;
	}
	atomic_fetch_add(&step->stepped_out, 1);
	wait_for(&step->outside);
	if (step->rounds-- > 0) {
		bool pushed = lanes_push_back(lanes, step->key, &one, task);

		if (pushed)
			return; /* another thread may have it already */
		atomic_store(&step->refused, true);
	}
	atomic_fetch_add(&step->ended, 1);
}

static void step_init(Step *step, uint64_t key, unsigned int rounds)
{
	memset(step, 0, sizeof(*step));
	step->task.run = step_run;
	step->key = key;
	step->rounds = rounds;
	g_assert_no_errno(sem_init(&step->inside, 0, 0));
	g_assert_no_errno(sem_init(&step->outside, 0, 0));
}

static void start(unsigned int ceiling)
{
	static GPtrArray *all; /* they live on; not a leak */

	if (!all)
		all = g_ptr_array_new();
	lanes = lanes_new(ceiling);
	g_ptr_array_add(all, lanes);
}

static void push(Step *step, const LaneLimits *limits)
{
	g_assert_true(lanes_push(lanes, step->key, limits, &step->task));
}

static void open_gate(sem_t *gate)
{
	g_assert_no_errno(sem_post(gate));
}

static void pass(Step *step)
{
	open_gate(&step->inside);
	open_gate(&step->outside);
}

static void wait_ended(Step *step)
{
	wait_until(atomic_load(&step->ended));
}

/* The lane's only place is free while the thread waits elsewhere. */
static void test_place_is_free(void)
{
	Step first, second;

	start(8);
	step_init(&first, 1, 0);
	step_init(&second, 1, 0);
	push(&first, &one);
	open_gate(&first.inside);
	wait_until(atomic_load(&first.stepped_out));
	push(&second, &one);
	pass(&second);
	wait_ended(&second);
	g_assert_cmpuint(atomic_load(&first.ended), ==, 0);
	open_gate(&first.outside);
	wait_ended(&first);
}

/* With a queue behind it, the thread is better used in the lane. */
static void test_others_wait(void)
{
	Step first, second;

	start(8);
	step_init(&first, 1, 0);
	step_init(&second, 1, 0);
	push(&first, &one);
	wait_until(atomic_load(&first.started));
	push(&second, &one);
	open_gate(&first.inside);
	wait_ended(&first);
	g_assert_true(atomic_load(&first.refused));
	g_assert_cmpuint(atomic_load(&first.stepped_out), ==, 0);
	pass(&second);
	wait_ended(&second);
	g_assert_false(atomic_load(&second.refused));
}

/* Again and again, on the only thread there may be. */
static void test_push_back(void)
{
	Step step;

	start(1);
	step_init(&step, 1, 5);
	push(&step, &one);
	for (unsigned int round = 1; round <= 6; round++) {
		wait_until(atomic_load(&step.started) == round);
		pass(&step);
	}
	wait_ended(&step);
	/* The lane and the thread are as good as new. */
	step_init(&step, 1, 0);
	push(&step, &one);
	pass(&step);
	wait_ended(&step);
}

/* To another lane, which has its own limit. */
static void test_push_elsewhere(void)
{
	Step mover, resident;

	start(8);
	step_init(&mover, 1, 1);
	step_init(&resident, 2, 0);
	push(&mover, &one);
	push(&resident, &one);
	wait_until(atomic_load(&resident.started));
	wait_until(atomic_load(&mover.started));
	mover.key = 2;
	open_gate(&mover.inside);
	wait_until(atomic_load(&mover.stepped_out));
	open_gate(&mover.outside);
	/* Its old lane is free, its new one is not. */
	{
		Step other;

		step_init(&other, 1, 0);
		push(&other, &one);
		pass(&other);
		wait_ended(&other);
	}
	g_assert_cmpuint(atomic_load(&mover.started), ==, 1);
	pass(&resident);
	wait_until(atomic_load(&mover.started) == 2);
	pass(&mover);
	wait_ended(&mover);
}

/* The one thread cannot see to two lanes that others would have to wait for. */
static void test_no_thread(void)
{
	Step again, other;

	start(1);
	step_init(&again, 1, 1);
	step_init(&other, 2, 0);
	push(&again, &one);
	open_gate(&again.inside);
	wait_until(atomic_load(&again.stepped_out));
	push(&other, &patient);
	/* Stands in front of the one that comes back. */
	pass(&other);
	again.key = 1;
	open_gate(&again.outside);
	wait_ended(&other);
	wait_ended(&again);
	g_assert_true(atomic_load(&again.refused));
	g_assert_cmpuint(atomic_load(&again.started), ==, 1);
}

/* At the ceiling, the thread that is out will be back for whoever comes; for
 * one lane, as it is one thread. */
static void test_awaited(void)
{
	Step first, same, further;

	start(1);
	step_init(&first, 1, 0);
	step_init(&same, 1, 0);
	step_init(&further, 2, 0);
	push(&first, &one);
	open_gate(&first.inside);
	wait_until(atomic_load(&first.stepped_out));
	push(&same, &one);
	g_assert_false(lanes_push(lanes, 2, &one, &further.task));
	g_assert_cmpuint(atomic_load(&same.started), ==, 0);
	open_gate(&first.outside);
	pass(&same);
	wait_ended(&same);
	/* It is out no longer. */
	step_init(&same, 1, 1);
	push(&same, &one);
	wait_until(atomic_load(&same.started));
	g_assert_false(lanes_push(lanes, 2, &one, &further.task));
	pass(&same);
	wait_until(atomic_load(&same.started) == 2);
	g_assert_false(lanes_push(lanes, 2, &one, &further.task));
	pass(&same);
	wait_ended(&same);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/step-out/place-is-free", test_place_is_free);
	g_test_add_func("/step-out/others-wait", test_others_wait);
	g_test_add_func("/step-out/push-back", test_push_back);
	g_test_add_func("/step-out/push-elsewhere", test_push_elsewhere);
	g_test_add_func("/step-out/no-thread", test_no_thread);
	g_test_add_func("/step-out/awaited", test_awaited);
	return g_test_run();
}
