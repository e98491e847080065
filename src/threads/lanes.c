/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue per lane and one pool of threads. A lane is "runnable" while it has
 * a task to give and a thread to spare; runnable lanes take turns. The hard
 * rule: for each runnable lane a thread is on its way to look for work, so that
 * no lane waits for another one's.
 *
 * POSIX threads and not GLib's, because ThreadSanitizer understands them
 * where GLib was built without it.
 */
#include "threads/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include "base/thread.h"

/* An idle thread ends after this many seconds, but for one that stays, so
 * that the first command after days finds it. */
#define IDLE_SECONDS 10

/* Empty lanes stay, as their devices will be back; beyond so many, they are
 * looked through for those that can go. */
#define LANES_KEPT 256

/* Enough for SG_IO and a formatted message, far below the default 8 MiB. */
#define STACK_SIZE (256 * 1024)

typedef struct Lane {
	uint64_t key;
	LaneLimits limits;
	GQueue tasks;         /* of Task.link */
	unsigned int running; /* threads that run a task of this lane */
	unsigned int waiting; /* threads in wait->wait() */
	LaneWait *wait;       /* where they wait; borrowed */
	bool wanted;          /* one more has to */
	GList link;           /* in lanes->runnable, if is_runnable */
	bool is_runnable;
} Lane;

/* A thread that has nothing to do, on its own stack. */
typedef struct Sleeper {
	GList link; /* in lanes->idle; its data is NULL once it is woken */
	sem_t wake;
} Sleeper;

struct Lanes {
	pthread_mutex_t lock;
	GHashTable *by_key;   /* of Lane, also some that are empty */
	GQueue runnable;      /* of Lane.link */
	GQueue idle;          /* of Sleeper.link; the last to sleep is first */
	unsigned int coming;  /* threads woken or started to look for work */
	unsigned int waiting; /* threads that wait in a lane */
	unsigned int busy;    /* threads that work for a lane */
	unsigned int threads; /* all of them */
	unsigned int ceiling;
};

/* Whether this thread holds the lock. */
static _Thread_local bool locked;

/* What holds while nobody has the lock. First, each thread does exactly one
 * thing. Second, the hard rule; its only excuse is that no thread can be had,
 * and then none is idle. */
static void lanes_assert_invariants(const Lanes *lanes)
{
	g_assert(lanes->threads <= lanes->ceiling);
	g_assert(lanes->threads == lanes->idle.length + lanes->coming +
					   lanes->waiting + lanes->busy);
	g_assert(lanes->runnable.length <= lanes->coming ||
		 lanes->idle.length == 0);
}

static void lanes_lock(Lanes *lanes)
{
	g_assert(!locked);
	pthread_mutex_lock(&lanes->lock);
	locked = true;
	lanes_assert_invariants(lanes);
}

static void lanes_unlock(Lanes *lanes)
{
	g_assert(locked);
	lanes_assert_invariants(lanes);
	locked = false;
	pthread_mutex_unlock(&lanes->lock);
}

/* Takes one thread out of a count. */
static void count_down(unsigned int *threads)
{
	g_assert(*threads > 0);
	--*threads;
}

Lanes *lanes_new(unsigned int ceiling)
{
	Lanes *lanes = g_new0(Lanes, 1);

	g_assert(ceiling > 0);
	pthread_mutex_init(&lanes->lock, NULL);
	lanes->by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					      g_free);
	lanes->ceiling = ceiling;
	return lanes;
}

static bool start_thread(Lanes *lanes);

static gboolean is_empty(gpointer key, gpointer lane, gpointer data)
{
	(void)key;
	(void)data;
	return ((Lane *)lane)->tasks.length == 0 &&
	       ((Lane *)lane)->running == 0 && ((Lane *)lane)->waiting == 0 &&
	       !((Lane *)lane)->wanted;
}

static Lane *lane_get(Lanes *lanes, uint64_t key, const LaneLimits *limits)
{
	Lane *lane = g_hash_table_lookup(lanes->by_key, &key);

	g_assert(locked && limits->threads > 0);
	if (lane) {
		g_assert(lane->limits.threads == limits->threads &&
			 lane->limits.patient == limits->patient);
		return lane;
	}
	if (g_hash_table_size(lanes->by_key) >= LANES_KEPT)
		g_hash_table_foreach_remove(lanes->by_key, is_empty, NULL);
	lane = g_new0(Lane, 1);
	lane->key = key;
	lane->limits = *limits;
	lane->link.data = lane;
	g_hash_table_insert(lanes->by_key, &lane->key, lane);
	return lane;
}

/* Makes a lane's place among the others follow from what it has. */
static void lane_update(Lanes *lanes, Lane *lane)
{
	bool runnable = (lane->tasks.length > 0 || lane->wanted) &&
			lane->running < lane->limits.threads;

	g_assert(locked);
	if (runnable && !lane->is_runnable)
		g_queue_push_tail_link(&lanes->runnable, &lane->link);
	if (!runnable && lane->is_runnable)
		g_queue_unlink(&lanes->runnable, &lane->link);
	lane->is_runnable = runnable;
}

/* The lane whose turn it is, with this thread counted in it; or NULL. */
static Lane *next_lane(Lanes *lanes)
{
	Lane *lane = g_queue_peek_head(&lanes->runnable);

	if (!lane)
		return NULL;
	g_assert(lane->is_runnable && (lane->tasks.length > 0 || lane->wanted));
	g_queue_unlink(&lanes->runnable, &lane->link);
	lane->is_runnable = false;
	lane->running++;
	lanes->busy++;
	return lane;
}

/* NULL: the thread is wanted for waiting. From here on the task is the
 * runner's, which may free it. */
static Task *take_task(Lanes *lanes, Lane *lane)
{
	GList *link = g_queue_pop_head_link(&lane->tasks);
	Task *task = link ? link->data : NULL;

	g_assert(task ? task->lane == lane : lane->wanted);
	if (task)
		task->lane = NULL;
	else
		lane->wanted = false;
	lane_update(lanes, lane);
	return task;
}

static void put_task(Lanes *lanes, Lane *lane, Task *task)
{
	g_assert(task->run && !task_is_queued(task));
	task->lane = lane;
	task->link = (GList) { .data = task };
	g_queue_push_tail_link(&lane->tasks, &task->link);
	lane_update(lanes, lane);
}

/* For a lane that may have become runnable: sees to it that a thread looks.
 * Returns one to be woken, or NULL where none has to be. */
static Sleeper *provide_thread(Lanes *lanes)
{
	GList *link;

	if (lanes->runnable.length <= lanes->coming)
		return NULL;
	link = g_queue_pop_head_link(&lanes->idle);
	if (link || start_thread(lanes))
		lanes->coming++;
	return link ? g_steal_pointer(&link->data) : NULL;
}

/* Wakes only after it has given up the lock, which the woken one needs. */
static void unlock_and_wake(Lanes *lanes, Sleeper *sleeper)
{
	g_assert(!sleeper || !sleeper->link.data);
	lanes_unlock(lanes);
	if (sleeper)
		sem_post(&sleeper->wake);
}

/* Begins and ends under the lock. */
static LaneWait *run_task(Lanes *lanes, Task *task)
{
	LaneWait *wait;

	/* Others may be runnable, this lane among them. */
	unlock_and_wake(lanes, provide_thread(lanes));
	wait = task->run(task);
	lanes_lock(lanes);
	return wait;
}

/* Whether a thread of the lane can wait in it: no task is to be run, here or
 * elsewhere. */
static bool may_wait(const Lanes *lanes, const Lane *lane)
{
	return lane->tasks.length == 0 &&
	       lane->waiting < lane->limits.threads &&
	       lanes->runnable.length <= lanes->coming;
}

/* Begins and ends under the lock. While it waits, the thread does not count as
 * one that runs a task. */
static LaneNews wait_in_lane(Lanes *lanes, Lane *lane, Task **ret_task)
{
	LaneWait *wait = lane->wait;
	LaneNews news;
	bool alone;

	count_down(&lane->running);
	count_down(&lanes->busy);
	lane->wanted = false;
	alone = lane->running == 0 && lane->waiting == 0;
	lane->waiting++;
	lanes->waiting++;
	lane_update(lanes, lane);
	unlock_and_wake(lanes, provide_thread(lanes));
	news = wait->wait(wait, lane->key, alone, ret_task);
	lanes_lock(lanes);
	count_down(&lanes->waiting);
	count_down(&lane->waiting);
	lane->running++;
	lanes->busy++;
	lane->wanted = news == LANE_TASK_OF_MANY && lane->waiting == 0;
	lane_update(lanes, lane);
	return news;
}

/* For a task that has come by itself: those that were queued meanwhile come
 * first, and a thread that only waited must not make the lane's threads too
 * many. */
static bool may_run(const Lane *lane)
{
	return lane->tasks.length == 0 && lane->running <= lane->limits.threads;
}

/* The next task that comes by itself, or NULL. */
static Task *wait_for_task(Lanes *lanes, Lane *lane)
{
	LaneNews news = LANE_NOTHING;
	Task *task;

	while (news == LANE_NOTHING && may_wait(lanes, lane))
		news = wait_in_lane(lanes, lane, &task);
	if (news < LANE_TASK)
		return NULL;
	if (may_run(lane))
		return task;
	put_task(lanes, lane, task);
	return NULL;
}

/* Begins and ends under the lock, for a lane from next_lane(). */
static void work_in_lane(Lanes *lanes, Lane *lane)
{
	Task *task = take_task(lanes, lane);
	LaneWait *wait = lane->wait;

	do {
		if (task)
			wait = run_task(lanes, task);
		if (wait)
			lane->wait = wait;
		task = wait ? wait_for_task(lanes, lane) : NULL;
	} while (task);
	count_down(&lane->running);
	count_down(&lanes->busy);
	lane_update(lanes, lane);
}

/* False: it took too long. */
static bool wait_to_be_woken(Sleeper *sleeper, bool for_good)
{
	struct timespec until;
	int result;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	do {
		result = for_good ? sem_wait(&sleeper->wake)
				  : sem_timedwait(&sleeper->wake, &until);
	} while (result < 0 && errno == EINTR);
	return result == 0;
}

/* Gives up the lock meanwhile. The first to sleep waits for good, the others
 * for a time. False: nobody needed it. */
static bool sleep_until_needed(Lanes *lanes)
{
	Sleeper sleeper = { .link.data = &sleeper };
	bool for_good = lanes->idle.length == 0;
	bool woken;

	g_assert(lanes->runnable.length == 0);
	sem_init(&sleeper.wake, 0, 0);
	g_queue_push_head_link(&lanes->idle, &sleeper.link);
	lanes_unlock(lanes);
	woken = wait_to_be_woken(&sleeper, for_good);
	lanes_lock(lanes);
	g_assert(!woken || !sleeper.link.data);
	if (!woken && sleeper.link.data) {
		g_queue_unlink(&lanes->idle, &sleeper.link);
		return false;
	}
	count_down(&lanes->coming);
	/* Chosen at the last moment: the semaphore must not end before the
	 * waker has let go of it, which needs no lock any more. */
	if (!woken)
		wait_to_be_woken(&sleeper, true);
	return true;
}

static void *thread_main(void *data)
{
	Lanes *lanes = data;
	Lane *lane;

	thread_mark_worker();
	lanes_lock(lanes);
	count_down(&lanes->coming);
	do {
		while ((lane = next_lane(lanes)))
			work_in_lane(lanes, lane);
	} while (sleep_until_needed(lanes));
	count_down(&lanes->threads);
	lanes_unlock(lanes);
	return NULL;
}

static bool start_thread(Lanes *lanes)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;
	bool ok;

	if (lanes->threads >= lanes->ceiling)
		return false;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = pthread_create(&thread, &attributes, thread_main, lanes) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	lanes->threads += ok;
	return ok;
}

/* True where the lane's tasks will be looked at some time. Threads do not wait
 * in a lane for long. */
static bool is_served(const Lanes *lanes, const Lane *lane)
{
	return lane->running > 0 || lane->limits.patient ||
	       lanes->coming + lanes->waiting >= lanes->runnable.length;
}

bool lanes_push(Lanes *lanes, uint64_t key, const LaneLimits *limits,
		Task *task)
{
	Sleeper *sleeper;
	bool accepted;
	Lane *lane;

	lanes_lock(lanes);
	lane = lane_get(lanes, key, limits);
	put_task(lanes, lane, task);
	sleeper = provide_thread(lanes);
	accepted = is_served(lanes, lane);
	if (!accepted) {
		task->lane = NULL;
		g_queue_unlink(&lane->tasks, &task->link);
		lane_update(lanes, lane);
	}
	unlock_and_wake(lanes, sleeper);
	return accepted;
}

bool lanes_cancel(Lanes *lanes, Task *task)
{
	Lane *lane;

	lanes_lock(lanes);
	lane = g_steal_pointer(&task->lane);
	if (lane) {
		g_assert(lane->tasks.length > 0);
		g_queue_unlink(&lane->tasks, &task->link);
		lane_update(lanes, lane);
	}
	lanes_unlock(lanes);
	return lane != NULL;
}
