/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which task may run when, with tasks that stay until they are let go. That
 * something does not happen is shown by another thing that happens after it
 * could have.
 */
#include "threads/thread-pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "testing.h"

/* A task that counts, and waits for its gate if it has one. */
typedef struct Step {
	Task task; /* must be first */
	sem_t *gate;
	atomic_uint started, ended;
	pthread_t thread;
	unsigned int number;
	void (*body)(struct Step *step);
} Step;

static ThreadWait *step_run(Task *task)
{
	Step *step = (Step *)task;

	step->thread = pthread_self();
	atomic_fetch_add(&step->started, 1);
	if (step->body)
		step->body(step);
	if (step->gate)
		while (sem_wait(step->gate) < 0)
			;
	/* The last access: the test may end now. */
	atomic_fetch_add(&step->ended, 1);
	return NULL;
}

static Step step_of(sem_t *gate)
{
	return (Step) { .task.run = step_run, .gate = gate };
}

static const ThreadLimits one = { .threads = 1 };
static const ThreadLimits three = { .threads = 3 };
static const ThreadLimits patient = { .threads = 1, .patient = true };

static void gate_init(sem_t *gate)
{
	g_assert_no_errno(sem_init(gate, 0, 0));
}

static void gate_open(sem_t *gate, unsigned int count)
{
	while (count-- > 0)
		g_assert_no_errno(sem_post(gate));
}

/* Pools live on; here is where a leak checker finds them. */
static ThreadPool *pool_of(unsigned int ceiling)
{
	static GPtrArray *all;

	if (!all)
		all = g_ptr_array_new();
	g_ptr_array_add(all, thread_pool_new(ceiling));
	return g_ptr_array_index(all, all->len - 1);
}

static void push(ThreadPool *pool, uint64_t key, const ThreadLimits *limits,
		 Step *step)
{
	g_assert_true(thread_pool_push(pool, key, limits, &step->task));
}

static void wait_started(Step *step)
{
	wait_until(atomic_load(&step->started));
}

static void wait_ended(Step *step)
{
	wait_until(atomic_load(&step->ended));
}

static unsigned int count_started(Step *steps, size_t count)
{
	unsigned int total = 0;

	for (size_t i = 0; i < count; i++)
		total += atomic_load(&steps[i].started);
	return total;
}

static void assert_never_started(Step *step)
{
	g_assert_cmpuint(atomic_load(&step->started), ==, 0);
}

static sigset_t seen_mask;

static void look_at_mask(Step *step)
{
	(void)step;
	pthread_sigmask(SIG_BLOCK, NULL, &seen_mask);
}

/* On another thread, with its signals blocked and ours as they were. */
static void test_run(void)
{
	ThreadPool *pool = pool_of(4);
	Step step = step_of(NULL);
	sigset_t before, after;

	step.body = look_at_mask;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	push(pool, 1, &one, &step);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	wait_ended(&step);
	g_assert_false(pthread_equal(step.thread, pthread_self()));
	for (int signal = 1; signal < 32; signal++) {
		g_assert_cmpint(sigismember(&before, signal), ==,
				sigismember(&after, signal));
		if (signal != SIGKILL && signal != SIGSTOP)
			g_assert_cmpint(sigismember(&seen_mask, signal), ==, 1);
	}
}

static atomic_uint freed;

static ThreadWait *free_run(Task *task)
{
	g_free(task);
	atomic_fetch_add(&freed, 1);
	return NULL;
}

static void test_task_frees_itself(void)
{
	ThreadPool *pool = pool_of(15);

	atomic_store(&freed, 0);
	for (unsigned int i = 0; i < 100; i++) {
		Task *task = g_new0(Task, 1);

		task->run = free_run;
		g_assert_true(thread_pool_push(pool, i % 5, &three, task));
	}
	wait_until(atomic_load(&freed) == 100);
}

/* Runs a task on a queue of its own: whatever could start before, has. */
static void settle(ThreadPool *pool)
{
	Step step = step_of(NULL);

	push(pool, 999999, &patient, &step);
	wait_ended(&step);
}

static void test_limit(void)
{
	ThreadPool *pool = pool_of(20);
	Step steps[10];
	sem_t gate;

	gate_init(&gate);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		steps[i] = step_of(&gate);
		push(pool, 1, &three, &steps[i]);
	}
	for (unsigned int ended = 0; ended + 3 <= 10; ended++) {
		wait_until(count_started(steps, 10) == ended + 3);
		settle(pool);
		g_assert_cmpuint(count_started(steps, 10), ==, ended + 3);
		gate_open(&gate, 1);
	}
	gate_open(&gate, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		wait_ended(&steps[i]);
	settle(pool);
	sem_destroy(&gate);
}

static unsigned int order[200];
static atomic_uint order_length;

static void note_order(Step *step)
{
	order[atomic_fetch_add(&order_length, 1)] = step->number;
}

static void test_order(void)
{
	ThreadPool *pool = pool_of(8);
	Step steps[G_N_ELEMENTS(order)];

	atomic_store(&order_length, 0);
	for (unsigned int i = 0; i < G_N_ELEMENTS(steps); i++) {
		steps[i] = step_of(NULL);
		steps[i].number = i;
		steps[i].body = note_order;
		push(pool, 1, &one, &steps[i]);
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(steps); i++)
		wait_ended(&steps[i]);
	for (unsigned int i = 0; i < G_N_ELEMENTS(order); i++)
		g_assert_cmpuint(order[i], ==, i);
}

/* Many stuck queues, each with more work behind, and one that is well. */
static void test_isolation(void)
{
	enum { STUCK = 50 };
	ThreadPool *pool = pool_of(200);
	Step stuck[STUCK], behind[STUCK], well[20];
	sem_t gate;

	gate_init(&gate);
	for (unsigned int i = 0; i < STUCK; i++) {
		stuck[i] = step_of(&gate);
		behind[i] = step_of(NULL);
		push(pool, i, &one, &stuck[i]);
		push(pool, i, &one, &behind[i]);
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(well); i++) {
		well[i] = step_of(NULL);
		push(pool, 1000, &one, &well[i]);
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(well); i++)
		wait_ended(&well[i]);
	for (unsigned int i = 0; i < STUCK; i++) {
		wait_started(&stuck[i]);
		assert_never_started(&behind[i]);
	}
	gate_open(&gate, STUCK);
	for (unsigned int i = 0; i < STUCK; i++)
		wait_ended(&behind[i]);
	sem_destroy(&gate);
}

/* A queue that has no thread is refused, and the task can come again. */
static void test_ceiling(void)
{
	ThreadPool *pool = pool_of(2);
	Step a = step_of(NULL), a2 = step_of(NULL), b = step_of(NULL);
	Step c = step_of(NULL);
	sem_t gate;

	gate_init(&gate);
	a.gate = b.gate = &gate;
	push(pool, 1, &three, &a);
	push(pool, 2, &three, &b);
	wait_started(&a);
	wait_started(&b);
	g_assert_false(thread_pool_push(pool, 3, &three, &c.task));
	g_assert_false(thread_pool_cancel(pool, &c.task));
	/* These have a thread, and wait for it. */
	push(pool, 1, &three, &a2);
	g_assert_false(thread_pool_push(pool, 3, &three, &c.task));
	gate_open(&gate, 2);
	wait_ended(&a);
	wait_ended(&a2);
	wait_ended(&b);
	assert_never_started(&c);
	/* Both threads are free, or about to be. */
	wait_until(thread_pool_push(pool, 3, &three, &c.task));
	wait_ended(&c);
	g_assert_cmpuint(atomic_load(&c.started), ==, 1);
	sem_destroy(&gate);
}

/* Without a pause in between, while threads are still on their way. */
static void test_ceiling_at_once(void)
{
	Step a, b, c;
	sem_t gate;

	gate_init(&gate);
	for (int round = 0; round < 20; round++) {
		ThreadPool *pool = pool_of(2);

		a = b = step_of(&gate);
		c = step_of(NULL);
		if (round % 2) {
			push(pool, 1, &one, &a);
			wait_started(&a);
			gate_open(&gate, 1);
			wait_ended(&a);
			a = step_of(&gate);
		}
		wait_until(thread_pool_push(pool, 1, &one, &a.task));
		wait_until(thread_pool_push(pool, 2, &one, &b.task));
		g_assert_false(thread_pool_push(pool, 3, &one, &c.task));
		gate_open(&gate, 2);
		wait_ended(&a);
		wait_ended(&b);
	}
	sem_destroy(&gate);
}

/* One queue that takes all threads: another one is refused, itself is not. */
static void test_ceiling_of_one_queue(void)
{
	ThreadPool *pool = pool_of(3);
	Step steps[5], other = step_of(NULL);
	sem_t gate;

	gate_init(&gate);
	for (size_t i = 0; i < 5; i++) {
		steps[i] = step_of(&gate);
		push(pool, 1, &three, &steps[i]);
	}
	wait_until(count_started(steps, 5) == 3);
	g_assert_false(thread_pool_push(pool, 2, &one, &other.task));
	gate_open(&gate, 5);
	for (size_t i = 0; i < 5; i++)
		wait_ended(&steps[i]);
	sem_destroy(&gate);
}

static void test_patient(void)
{
	ThreadPool *pool = pool_of(1);
	Step stuck = step_of(NULL), waiting[3], refused = step_of(NULL);
	sem_t gate;

	gate_init(&gate);
	stuck.gate = &gate;
	push(pool, 1, &one, &stuck);
	wait_started(&stuck);
	for (uint64_t i = 0; i < 3; i++) {
		waiting[i] = step_of(NULL);
		push(pool, 10 + i, &patient, &waiting[i]);
	}
	/* That others wait patiently makes no room. */
	g_assert_false(thread_pool_push(pool, 2, &one, &refused.task));
	g_assert_cmpuint(count_started(waiting, 3), ==, 0);
	gate_open(&gate, 1);
	for (size_t i = 0; i < 3; i++)
		wait_ended(&waiting[i]);
	wait_ended(&stuck);
	assert_never_started(&refused);
	sem_destroy(&gate);
}

static void test_cancel(void)
{
	ThreadPool *pool = pool_of(4);
	Step first = step_of(NULL), second = step_of(NULL);
	Step third = step_of(NULL);
	sem_t gate;

	gate_init(&gate);
	first.gate = &gate;
	push(pool, 1, &one, &first);
	push(pool, 1, &one, &second);
	push(pool, 1, &one, &third);
	wait_started(&first);
	g_assert_false(thread_pool_cancel(pool, &first.task));
	g_assert_true(thread_pool_cancel(pool, &second.task));
	g_assert_false(thread_pool_cancel(pool, &second.task));
	gate_open(&gate, 1);
	wait_ended(&third);
	wait_ended(&first);
	g_assert_false(thread_pool_cancel(pool, &first.task));
	g_assert_false(thread_pool_cancel(pool, &third.task));
	settle(pool);
	assert_never_started(&second);
	/* And again, as if it were new. */
	push(pool, 1, &one, &second);
	wait_ended(&second);
	sem_destroy(&gate);
}

/* The only task of a queue that waits at the ceiling: the queue goes with it.
 */
static void test_cancel_last(void)
{
	ThreadPool *pool = pool_of(1);
	Step stuck = step_of(NULL), waiting = step_of(NULL);
	sem_t gate;

	gate_init(&gate);
	stuck.gate = &gate;
	push(pool, 1, &one, &stuck);
	wait_started(&stuck);
	push(pool, 2, &patient, &waiting);
	g_assert_true(thread_pool_cancel(pool, &waiting.task));
	push(pool, 2, &patient, &waiting);
	gate_open(&gate, 1);
	wait_ended(&waiting);
	wait_ended(&stuck);
	g_assert_cmpuint(atomic_load(&waiting.started), ==, 1);
	sem_destroy(&gate);
}

static unsigned int count_threads(void)
{
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	unsigned int count = 0;

	while (tasks && g_dir_read_name(tasks))
		count++;
	return count;
}

/* A queue of one thread never needs a second one. */
static void test_threads_needed(void)
{
	ThreadPool *pool = pool_of(50);
	unsigned int before = count_threads();

	for (unsigned int i = 0; i < 100; i++) {
		Step step = step_of(NULL);

		push(pool, 1, &one, &step);
		wait_ended(&step);
	}
	g_assert_cmpuint(count_threads(), <=, before + 1);
}

/* One after the other on queues of their own: idle threads are used again, and
 * none of so many wake-ups is lost. */
static void test_threads_shared(void)
{
	enum { ROUNDS = 2000 };
	ThreadPool *pool = pool_of(8);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		Step step = step_of(NULL);

		/* Refused for good, were a thread of the 8 not idle again. */
		wait_until(thread_pool_push(pool, i, &one, &step.task));
		wait_ended(&step);
	}
}

static void test_thousand_queues(void)
{
	enum { COUNT = 1000 };
	ThreadPool *pool = pool_of(16);
	g_autofree Step *steps = g_new0(Step, 3 * COUNT);

	for (unsigned int i = 0; i < 3 * COUNT; i++) {
		steps[i] = step_of(NULL);
		push(pool, i % COUNT, &patient, &steps[i]);
	}
	for (unsigned int i = 0; i < 3 * COUNT; i++) {
		wait_ended(&steps[i]);
		g_assert_cmpuint(atomic_load(&steps[i].started), ==, 1);
	}
}

/* A thousand disks that hang, and one that does not. */
static void test_thousand_stuck(void)
{
	enum { COUNT = 1000 };
	ThreadPool *pool = pool_of(COUNT + 1);
	g_autofree Step *steps = g_new0(Step, COUNT);
	Step well = step_of(NULL);
	sem_t gate;

	gate_init(&gate);
	for (unsigned int i = 0; i < COUNT; i++) {
		steps[i] = step_of(&gate);
		if (!thread_pool_push(pool, i, &one, &steps[i].task)) {
			/* A container's limit, say. */
			g_test_message("no more than %u threads here", i);
			gate_open(&gate, i);
			while (i-- > 0)
				wait_ended(&steps[i]);
			g_test_skip("too few threads can be started");
			return;
		}
	}
	push(pool, COUNT, &one, &well);
	wait_ended(&well);
	wait_until(count_started(steps, COUNT) == COUNT);
	gate_open(&gate, COUNT);
	for (unsigned int i = 0; i < COUNT; i++)
		wait_ended(&steps[i]);
	sem_destroy(&gate);
}

enum { PUSHERS = 4, PUSHES = 2500, KEYS = 20, CEILING = 12 };

typedef struct Pusher {
	pthread_t thread;
	ThreadPool *pool;
	GRand *random;
	Step steps[PUSHES];
	bool cancelled[PUSHES];
	unsigned int refused;
} Pusher;

static atomic_uint running[KEYS];
static atomic_bool over_limit;

static void count_running(Step *step)
{
	atomic_uint *now = &running[step->number];

	if (atomic_fetch_add(now, 1) >= three.threads)
		atomic_store(&over_limit, true);
	if (step->number % 7 == 0)
		sched_yield();
	atomic_fetch_sub(now, 1);
}

static void *push_and_cancel(void *data)
{
	Pusher *pusher = data;

	for (unsigned int i = 0; i < PUSHES; i++) {
		Step *step = &pusher->steps[i];
		unsigned int other = (unsigned int)g_rand_int_range(
			pusher->random, 0, (gint32)i + 1);

		*step = step_of(NULL);
		step->body = count_running;
		step->number =
			(unsigned int)g_rand_int_range(pusher->random, 0, KEYS);
		if (!thread_pool_push(pusher->pool, step->number, &three,
				      &step->task)) {
			pusher->cancelled[i] = true;
			pusher->refused++;
			continue;
		}
		if (i % 2 && !pusher->cancelled[other])
			pusher->cancelled[other] = thread_pool_cancel(
				pusher->pool, &pusher->steps[other].task);
	}
	return NULL;
}

static void assert_pusher(Pusher *pusher)
{
	for (unsigned int i = 0; i < PUSHES; i++)
		if (!pusher->cancelled[i])
			wait_ended(&pusher->steps[i]);
	for (unsigned int i = 0; i < PUSHES; i++)
		g_assert_cmpuint(atomic_load(&pusher->steps[i].started), ==,
				 pusher->cancelled[i] ? 0 : 1);
}

/* Each task runs exactly once, or was cancelled or refused. */
static void test_stress(void)
{
	g_autofree Pusher *pushers = g_new0(Pusher, PUSHERS);
	ThreadPool *pool = pool_of(CEILING);

	for (unsigned int i = 0; i < PUSHERS; i++) {
		pushers[i].pool = pool;
		pushers[i].random = g_rand_new_with_seed(i);
		g_assert_cmpint(pthread_create(&pushers[i].thread, NULL,
					       push_and_cancel, &pushers[i]),
				==, 0);
	}
	for (unsigned int i = 0; i < PUSHERS; i++)
		pthread_join(pushers[i].thread, NULL);
	for (unsigned int i = 0; i < PUSHERS; i++) {
		assert_pusher(&pushers[i]);
		g_rand_free(pushers[i].random);
	}
	g_assert_false(atomic_load(&over_limit));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/thread-pool/run", test_run);
	g_test_add_func("/thread-pool/task-frees-itself",
			test_task_frees_itself);
	g_test_add_func("/thread-pool/limit", test_limit);
	g_test_add_func("/thread-pool/order", test_order);
	g_test_add_func("/thread-pool/isolation", test_isolation);
	g_test_add_func("/thread-pool/ceiling/two-queues", test_ceiling);
	g_test_add_func("/thread-pool/ceiling/at-once", test_ceiling_at_once);
	g_test_add_func("/thread-pool/ceiling/one-queue",
			test_ceiling_of_one_queue);
	g_test_add_func("/thread-pool/ceiling/patient", test_patient);
	g_test_add_func("/thread-pool/cancel/queued-and-running", test_cancel);
	g_test_add_func("/thread-pool/cancel/last", test_cancel_last);
	g_test_add_func("/thread-pool/threads/needed", test_threads_needed);
	g_test_add_func("/thread-pool/threads/shared", test_threads_shared);
	g_test_add_func("/thread-pool/thousand/short", test_thousand_queues);
	g_test_add_func("/thread-pool/thousand/stuck", test_thousand_stuck);
	g_test_add_func("/thread-pool/stress", test_stress);
	return g_test_run();
}
