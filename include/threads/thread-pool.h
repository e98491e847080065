/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads for work that may block, without letting one blocker stop the rest:
 * each task belongs to a queue (that of a device, say), and a queue never
 * occupies more than its own few threads. All threads are shared and start when
 * they are needed; the total has a ceiling, and at the ceiling only queues that
 * have no thread at all are refused.
 *
 *   queue A: task task      running 4 of 4: waits for one of its own
 *   queue B: task           running 0 of 4: takes any idle thread, or a new one
 *
 * A thread that never comes back from the kernel is simply never idle again.
 * Together with the mailbox, through which answers come back, this is the only
 * code that locks.
 */
#ifndef THREAD_POOL_H
#define THREAD_POOL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ThreadPool ThreadPool;
typedef struct Task Task;

typedef enum ThreadNews {
	THREAD_QUIET,        /* nothing has come for long: the thread may go */
	THREAD_NOTHING,      /* nothing has come yet */
	THREAD_TASK,         /* *ret_task is to be run */
	THREAD_TASK_OF_MANY, /* the same; another thread must wait meanwhile */
} ThreadNews;

/* Where a thread whose queue has no more tasks waits for one that does not come
 * through thread_pool_push(): a client's next command, say. */
typedef struct ThreadWait {
	/* On a thread of the queue with this key. `alone`: the queue has no
	 * other thread. Lasts some milliseconds at most. */
	ThreadNews (*wait)(struct ThreadWait *wait, uint64_t key, bool alone,
			   Task **ret_task);
} ThreadWait;

struct Task {
	/* On some thread, with all signals blocked. May free the task. Returns
	 * where the thread can wait for further tasks of the queue, or NULL. */
	ThreadWait *(*run)(Task *task);
	/* Private to thread-pool.c. The queue is set while it has the task. */
	GList link;
	struct ThreadQueue *queue;
};

typedef struct ThreadLimits {
	/* Threads that one queue may occupy with tasks. As many again may wait:
	 * they cannot be stuck. */
	unsigned int threads;
	/* True: a task waits even where no thread can be had for its queue;
	 * false: it is refused. */
	bool patient;
} ThreadLimits;

/* At most `ceiling` threads. There is no way to free it: threads may be stuck
 * in the kernel for longer than the process lives. */
ThreadPool *thread_pool_new(unsigned int ceiling);

/* Queues the task at the end of its queue; any thread may call it. False: no
 * thread serves the queue and none can be started; the task stays the
 * caller's. All tasks of one key must come with the same limits. */
bool thread_pool_push(ThreadPool *pool, uint64_t key,
		      const ThreadLimits *limits, Task *task);

/* Takes a task back. False: it runs already, or has run. */
bool thread_pool_cancel(ThreadPool *pool, Task *task);

/* Whether the task waits in a queue. Only for assertions of a task's owner, who
 * knows that it is not about to be queued or run. */
static inline bool task_is_queued(const Task *task)
{
	return task->queue != NULL;
}

#endif
