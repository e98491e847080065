/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue per key and one pool of threads. A queue is "runnable" while it has
 * a task to give and a thread to spare; runnable queues take turns. The hard
 * rule: for each runnable queue a thread is on its way to look for work, so
 * that no queue waits for another one's.
 *
 * POSIX threads and not GLib's, because ThreadSanitizer understands them
 * where GLib was built without it.
 */
#include "threads/thread-pool.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include "base/thread.h"

/* An idle thread ends after this many seconds, but for one that stays, so
 * that the first command after days finds it. */
#define IDLE_S 10

/* Empty queues stay, as their devices will be back; beyond so many, they are
 * looked through for those that can go. */
#define QUEUES_KEPT 256

/* Enough for SG_IO and a formatted message, far below the default 8 MiB. */
#define STACK_SIZE (256 * 1024)

typedef struct ThreadQueue {
	uint64_t key;
	ThreadLimits limits;
	GQueue tasks;         /* of Task.link */
	unsigned int running; /* threads that run a task of this queue */
	unsigned int waiting; /* threads in wait->wait() */
	ThreadWait *wait;     /* where they wait; borrowed */
	bool wanted;          /* one more has to */
	GList link;           /* in pool->runnable, if is_runnable */
	bool is_runnable;
} ThreadQueue;

/* A thread that has nothing to do, on its own stack. */
typedef struct Sleeper {
	GList link; /* in pool->idle; its data is NULL once it is woken */
	sem_t wake;
} Sleeper;

struct ThreadPool {
	pthread_mutex_t lock;
	GHashTable *by_key;   /* of ThreadQueue, also some that are empty */
	GQueue runnable;      /* of ThreadQueue.link */
	GQueue idle;          /* of Sleeper.link; the last to sleep is first */
	unsigned int coming;  /* threads woken or started to look for work */
	unsigned int waiting; /* threads in a queue's wait->wait() */
	unsigned int busy;    /* threads that work for a queue */
	unsigned int threads; /* all of them */
	unsigned int ceiling;
};

/* Whether this thread holds the lock. */
static _Thread_local bool locked;

/* What holds while nobody has the lock. First, each thread does exactly one
 * thing. Second, the hard rule; its only excuse is that no thread can be had,
 * and then none is idle. */
static void thread_pool_assert_invariants(const ThreadPool *pool)
{
	g_assert(pool->threads <= pool->ceiling);
	g_assert(pool->threads ==
		 pool->idle.length + pool->coming + pool->waiting + pool->busy);
	g_assert(pool->runnable.length <= pool->coming ||
		 pool->idle.length == 0);
}

static void thread_pool_lock(ThreadPool *pool)
{
	g_assert(!locked);
	pthread_mutex_lock(&pool->lock);
	locked = true;
	thread_pool_assert_invariants(pool);
}

static void thread_pool_unlock(ThreadPool *pool)
{
	g_assert(locked);
	thread_pool_assert_invariants(pool);
	locked = false;
	pthread_mutex_unlock(&pool->lock);
}

/* Takes one thread out of a count. */
static void thread_count_down(unsigned int *threads)
{
	g_assert(*threads > 0);
	--*threads;
}

ThreadPool *thread_pool_new(unsigned int ceiling)
{
	ThreadPool *pool = g_new0(ThreadPool, 1);

	g_assert(ceiling > 0);
	pthread_mutex_init(&pool->lock, NULL);
	pool->by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					     g_free);
	pool->ceiling = ceiling;
	return pool;
}

static bool start_thread(ThreadPool *pool);

static gboolean thread_queue_is_empty(gpointer key, gpointer queue,
				      gpointer data)
{
	(void)key;
	(void)data;
	return ((ThreadQueue *)queue)->tasks.length == 0 &&
	       ((ThreadQueue *)queue)->running == 0 &&
	       ((ThreadQueue *)queue)->waiting == 0 &&
	       !((ThreadQueue *)queue)->wanted;
}

static ThreadQueue *thread_queue_get(ThreadPool *pool, uint64_t key,
				     const ThreadLimits *limits)
{
	ThreadQueue *queue = g_hash_table_lookup(pool->by_key, &key);

	g_assert(locked && limits->threads > 0);
	if (queue) {
		g_assert(queue->limits.threads == limits->threads &&
			 queue->limits.patient == limits->patient);
		return queue;
	}
	if (g_hash_table_size(pool->by_key) >= QUEUES_KEPT)
		g_hash_table_foreach_remove(pool->by_key, thread_queue_is_empty,
					    NULL);
	queue = g_new0(ThreadQueue, 1);
	queue->key = key;
	queue->limits = *limits;
	queue->link.data = queue;
	g_hash_table_insert(pool->by_key, &queue->key, queue);
	return queue;
}

/* Makes a queue's place among the others follow from what it has. */
static void thread_queue_update(ThreadPool *pool, ThreadQueue *queue)
{
	bool runnable = (queue->tasks.length > 0 || queue->wanted) &&
			queue->running < queue->limits.threads;

	g_assert(locked);
	if (runnable && !queue->is_runnable)
		g_queue_push_tail_link(&pool->runnable, &queue->link);
	if (!runnable && queue->is_runnable)
		g_queue_unlink(&pool->runnable, &queue->link);
	queue->is_runnable = runnable;
}

/* The queue whose turn it is, with this thread counted in it; or NULL. */
static ThreadQueue *next_queue(ThreadPool *pool)
{
	ThreadQueue *queue = g_queue_peek_head(&pool->runnable);

	if (!queue)
		return NULL;
	g_assert(queue->is_runnable &&
		 (queue->tasks.length > 0 || queue->wanted));
	g_queue_unlink(&pool->runnable, &queue->link);
	queue->is_runnable = false;
	queue->running++;
	pool->busy++;
	return queue;
}

/* NULL: the thread is wanted for waiting. From here on the task is the
 * runner's, which may free it. */
static Task *take_task(ThreadPool *pool, ThreadQueue *queue)
{
	GList *link = g_queue_pop_head_link(&queue->tasks);
	Task *task = link ? link->data : NULL;

	g_assert(task ? task->queue == queue : queue->wanted);
	if (task)
		task->queue = NULL;
	else
		queue->wanted = false;
	thread_queue_update(pool, queue);
	return task;
}

static void put_task(ThreadPool *pool, ThreadQueue *queue, Task *task)
{
	g_assert(task->run && !task_is_queued(task));
	task->queue = queue;
	task->link = (GList) { .data = task };
	g_queue_push_tail_link(&queue->tasks, &task->link);
	thread_queue_update(pool, queue);
}

/* For a queue that may have become runnable: sees to it that a thread looks.
 * Returns one to be woken, or NULL where none has to be. */
static Sleeper *provide_thread(ThreadPool *pool)
{
	GList *link;

	if (pool->runnable.length <= pool->coming)
		return NULL;
	link = g_queue_pop_head_link(&pool->idle);
	if (link || start_thread(pool))
		pool->coming++;
	return link ? g_steal_pointer(&link->data) : NULL;
}

/* Wakes only after it has given up the lock, which the woken one needs. */
static void unlock_and_wake(ThreadPool *pool, Sleeper *sleeper)
{
	g_assert(!sleeper || !sleeper->link.data);
	thread_pool_unlock(pool);
	if (sleeper)
		sem_post(&sleeper->wake);
}

/* Begins and ends under the lock. */
static ThreadWait *run_task(ThreadPool *pool, Task *task)
{
	ThreadWait *wait;

	/* Others may be runnable, this queue among them. */
	unlock_and_wake(pool, provide_thread(pool));
	wait = task->run(task);
	thread_pool_lock(pool);
	return wait;
}

/* Whether a thread of the queue can wait for it: no task is to be run, here or
 * elsewhere. */
static bool may_wait(const ThreadPool *pool, const ThreadQueue *queue)
{
	return queue->tasks.length == 0 &&
	       queue->waiting < queue->limits.threads &&
	       pool->runnable.length <= pool->coming;
}

/* Begins and ends under the lock. While it waits, the thread does not count as
 * one that runs a task. */
static ThreadNews wait_for_news(ThreadPool *pool, ThreadQueue *queue,
				Task **ret_task)
{
	ThreadWait *wait = queue->wait;
	ThreadNews news;
	bool alone;

	thread_count_down(&queue->running);
	thread_count_down(&pool->busy);
	queue->wanted = false;
	alone = queue->running == 0 && queue->waiting == 0;
	queue->waiting++;
	pool->waiting++;
	thread_queue_update(pool, queue);
	unlock_and_wake(pool, provide_thread(pool));
	news = wait->wait(wait, queue->key, alone, ret_task);
	thread_pool_lock(pool);
	thread_count_down(&pool->waiting);
	thread_count_down(&queue->waiting);
	queue->running++;
	pool->busy++;
	queue->wanted = news == THREAD_TASK_OF_MANY && queue->waiting == 0;
	thread_queue_update(pool, queue);
	return news;
}

/* For a task that has come by itself: those that were queued meanwhile come
 * first, and a thread that only waited must not make the queue's threads too
 * many. */
static bool may_run(const ThreadQueue *queue)
{
	return queue->tasks.length == 0 &&
	       queue->running <= queue->limits.threads;
}

/* The next task that comes by itself, or NULL. */
static Task *wait_for_task(ThreadPool *pool, ThreadQueue *queue)
{
	ThreadNews news = THREAD_NOTHING;
	Task *task;

	while (news == THREAD_NOTHING && may_wait(pool, queue))
		news = wait_for_news(pool, queue, &task);
	if (news < THREAD_TASK)
		return NULL;
	if (may_run(queue))
		return task;
	put_task(pool, queue, task);
	return NULL;
}

/* Begins and ends under the lock, for a queue from next_queue(). */
static void work_for_queue(ThreadPool *pool, ThreadQueue *queue)
{
	Task *task = take_task(pool, queue);
	ThreadWait *wait = queue->wait;

	do {
		if (task)
			wait = run_task(pool, task);
		if (wait)
			queue->wait = wait;
		task = wait ? wait_for_task(pool, queue) : NULL;
	} while (task);
	/* Whoever runs the next task may be long in coming back. */
	queue->wanted |= wait && queue->tasks.length > 0 && queue->waiting == 0;
	thread_count_down(&queue->running);
	thread_count_down(&pool->busy);
	thread_queue_update(pool, queue);
}

/* False: it took too long. */
static bool wait_to_be_woken(Sleeper *sleeper, bool for_good)
{
	struct timespec until;
	int result;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_S;
	do {
		result = for_good ? sem_wait(&sleeper->wake)
				  : sem_timedwait(&sleeper->wake, &until);
	} while (result < 0 && errno == EINTR);
	return result == 0;
}

/* Gives up the lock meanwhile. The first to sleep waits for good, the others
 * for a time. False: nobody needed it. */
static bool sleep_until_needed(ThreadPool *pool)
{
	Sleeper sleeper = { .link.data = &sleeper };
	bool for_good = pool->idle.length == 0;
	bool woken;

	g_assert(pool->runnable.length == 0);
	sem_init(&sleeper.wake, 0, 0);
	g_queue_push_head_link(&pool->idle, &sleeper.link);
	thread_pool_unlock(pool);
	woken = wait_to_be_woken(&sleeper, for_good);
	thread_pool_lock(pool);
	g_assert(!woken || !sleeper.link.data);
	if (!woken && sleeper.link.data) {
		g_queue_unlink(&pool->idle, &sleeper.link);
		return false;
	}
	thread_count_down(&pool->coming);
	/* Chosen at the last moment: the semaphore must not end before the
	 * waker has let go of it, which needs no lock any more. */
	if (!woken)
		wait_to_be_woken(&sleeper, true);
	return true;
}

static void *thread_main(void *data)
{
	ThreadPool *pool = data;
	ThreadQueue *queue;

	thread_mark_worker();
	thread_pool_lock(pool);
	thread_count_down(&pool->coming);
	do {
		while ((queue = next_queue(pool)))
			work_for_queue(pool, queue);
	} while (sleep_until_needed(pool));
	thread_count_down(&pool->threads);
	thread_pool_unlock(pool);
	return NULL;
}

static bool start_thread(ThreadPool *pool)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;
	bool ok;

	if (pool->threads >= pool->ceiling)
		return false;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = pthread_create(&thread, &attributes, thread_main, pool) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	pool->threads += ok;
	return ok;
}

/* True where the queue's tasks will be looked at some time. Threads do not wait
 * for a queue for long. */
static bool is_served(const ThreadPool *pool, const ThreadQueue *queue)
{
	return queue->running > 0 || queue->limits.patient ||
	       pool->coming + pool->waiting >= pool->runnable.length;
}

bool thread_pool_push(ThreadPool *pool, uint64_t key,
		      const ThreadLimits *limits, Task *task)
{
	Sleeper *sleeper;
	bool accepted;
	ThreadQueue *queue;

	thread_pool_lock(pool);
	queue = thread_queue_get(pool, key, limits);
	put_task(pool, queue, task);
	sleeper = provide_thread(pool);
	accepted = is_served(pool, queue);
	if (!accepted) {
		task->queue = NULL;
		g_queue_unlink(&queue->tasks, &task->link);
		thread_queue_update(pool, queue);
	}
	unlock_and_wake(pool, sleeper);
	return accepted;
}

bool thread_pool_cancel(ThreadPool *pool, Task *task)
{
	ThreadQueue *queue;

	thread_pool_lock(pool);
	queue = g_steal_pointer(&task->queue);
	if (queue) {
		g_assert(queue->tasks.length > 0);
		g_queue_unlink(&queue->tasks, &task->link);
		thread_queue_update(pool, queue);
	}
	thread_pool_unlock(pool);
	return queue != NULL;
}
