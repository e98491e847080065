/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue per lane and one pool of threads. A lane is "runnable" while it has
 * a task to give and a thread to spare; runnable lanes take turns. The hard
 * rule: whenever there are more runnable lanes than idle threads, another
 * thread starts, so that no lane waits for another one's work.
 *
 * POSIX threads and not GLib's, because ThreadSanitizer understands them
 * where GLib was built without it.
 */
#include "lanes.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

/* An idle thread ends after this many seconds, but for one that stays, so
 * that the first command after days finds it. */
#define IDLE_SECONDS 10

/* Enough for SG_IO and a formatted message, far below the default 8 MiB. */
#define STACK_SIZE (256 * 1024)

typedef struct Lane {
	uint64_t key;
	LaneLimits limits;
	GQueue tasks;         /* of Task.link */
	unsigned int running; /* threads that work for this lane now */
	GList link;           /* in lanes->runnable, if is_runnable */
	bool is_runnable;
} Lane;

struct Lanes {
	pthread_mutex_t lock;
	pthread_cond_t work;
	GHashTable *by_key;   /* of Lane; only those with tasks or threads */
	GQueue runnable;      /* of Lane.link */
	unsigned int threads; /* all of them */
	unsigned int idle;    /* of those, about to look for work */
	unsigned int ceiling;
};

Lanes *lanes_new(unsigned int ceiling)
{
	Lanes *lanes = g_new0(Lanes, 1);
	pthread_condattr_t attributes;

	pthread_mutex_init(&lanes->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lanes->work, &attributes);
	pthread_condattr_destroy(&attributes);
	lanes->by_key = g_hash_table_new(g_int64_hash, g_int64_equal);
	lanes->ceiling = ceiling;
	return lanes;
}

static Lane *lane_get(Lanes *lanes, uint64_t key, const LaneLimits *limits)
{
	Lane *lane = g_hash_table_lookup(lanes->by_key, &key);

	if (lane)
		return lane;
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
	bool runnable =
		lane->tasks.length > 0 && lane->running < lane->limits.threads;

	if (runnable && !lane->is_runnable)
		g_queue_push_tail_link(&lanes->runnable, &lane->link);
	if (!runnable && lane->is_runnable)
		g_queue_unlink(&lanes->runnable, &lane->link);
	lane->is_runnable = runnable;
}

/* The same for a lane that may have lost its last task or thread: then it
 * ends. */
static void lane_release(Lanes *lanes, Lane *lane)
{
	lane_update(lanes, lane);
	if (lane->tasks.length > 0 || lane->running > 0)
		return;
	g_hash_table_remove(lanes->by_key, &lane->key);
	g_free(lane);
}

/* The next task; its lane has had its turn. From here on the task is the
 * runner's, which may free it. */
static Task *next_task(Lanes *lanes, Lane **ret_lane)
{
	Lane *lane = g_queue_peek_head(&lanes->runnable);
	Task *task;

	if (!lane)
		return NULL;
	g_queue_unlink(&lanes->runnable, &lane->link);
	lane->is_runnable = false;
	task = g_queue_pop_head_link(&lane->tasks)->data;
	task->lane = NULL;
	lane->running++;
	lane_update(lanes, lane);
	*ret_lane = lane;
	return task;
}

/* False: it was idle for long enough. */
static bool wait_for_work(Lanes *lanes)
{
	struct timespec until;
	int error = 0;

	lanes->idle++;
	if (lanes->idle == 1) {
		pthread_cond_wait(&lanes->work, &lanes->lock);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += IDLE_SECONDS;
		error = pthread_cond_timedwait(&lanes->work, &lanes->lock,
					       &until);
	}
	lanes->idle--;
	return error == 0;
}

static void provide_threads(Lanes *lanes);
static void unlock_and_wake(Lanes *lanes);

static void run_task(Lanes *lanes, Lane *lane, Task *task)
{
	provide_threads(lanes); /* others may be runnable, this lane, too */
	unlock_and_wake(lanes);
	task->run(task);
	pthread_mutex_lock(&lanes->lock);
	lane->running--;
	lane_release(lanes, lane);
}

static void *thread_main(void *data)
{
	Lanes *lanes = data;
	Task *task;
	Lane *lane;

	pthread_mutex_lock(&lanes->lock);
	lanes->idle--;
	for (;;) {
		task = next_task(lanes, &lane);
		if (task)
			run_task(lanes, lane, task);
		else if (!wait_for_work(lanes) && lanes->runnable.length == 0)
			break;
	}
	lanes->threads--;
	pthread_mutex_unlock(&lanes->lock);
	return NULL;
}

static void start_thread(Lanes *lanes)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;

	if (lanes->threads >= lanes->ceiling)
		return;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, &attributes, thread_main, lanes) == 0) {
		lanes->threads++;
		lanes->idle++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
}

/* Whenever lanes may have become runnable: sees to it that there are idle
 * threads for them. A thread that was signalled or just started counts as idle
 * until it runs; it takes its lane off the list at the same moment, so the
 * comparison holds in between. */
static void provide_threads(Lanes *lanes)
{
	if (lanes->idle < lanes->runnable.length)
		start_thread(lanes);
}

/* Gives up the lock, and only then wakes a thread, which needs it. */
static void unlock_and_wake(Lanes *lanes)
{
	bool work = lanes->runnable.length > 0 && lanes->idle > 0;

	pthread_mutex_unlock(&lanes->lock);
	if (work)
		pthread_cond_signal(&lanes->work);
}

/* True where the lane's tasks will be looked at some time. */
static bool is_served(const Lanes *lanes, const Lane *lane)
{
	return lane->running > 0 || lane->limits.patient ||
	       lanes->idle >= lanes->runnable.length;
}

bool lanes_push(Lanes *lanes, uint64_t key, const LaneLimits *limits,
		Task *task)
{
	bool accepted;
	Lane *lane;

	pthread_mutex_lock(&lanes->lock);
	lane = lane_get(lanes, key, limits);
	task->lane = lane;
	task->link = (GList) { .data = task };
	g_queue_push_tail_link(&lane->tasks, &task->link);
	lane_update(lanes, lane);
	provide_threads(lanes);
	accepted = is_served(lanes, lane);
	if (!accepted) {
		task->lane = NULL;
		g_queue_unlink(&lane->tasks, &task->link);
		lane_release(lanes, lane);
	}
	unlock_and_wake(lanes);
	return accepted;
}

bool lanes_cancel(Lanes *lanes, Task *task)
{
	Lane *lane;

	pthread_mutex_lock(&lanes->lock);
	lane = g_steal_pointer(&task->lane);
	if (lane) {
		g_queue_unlink(&lane->tasks, &task->link);
		lane_release(lanes, lane);
	}
	pthread_mutex_unlock(&lanes->lock);
	return lane != NULL;
}
