/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads for work that may block, without letting one blocker stop the rest:
 * each task belongs to a lane (a device, say), and a lane never occupies more
 * than its own few threads. All threads are shared and start when they are
 * needed; the total has a ceiling, and at the ceiling only lanes that have no
 * thread at all are refused.
 *
 *   lane A: task task      running 4 of 4: waits for one of its own
 *   lane B: task           running 0 of 4: takes any idle thread, or a new one
 *
 * A thread that never comes back from the kernel is simply never idle again.
 * Together with the mailbox, through which answers come back, this is the only
 * code that locks.
 */
#ifndef LANES_H
#define LANES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Lanes Lanes;
typedef struct Task Task;

typedef enum LaneNews {
	LANE_QUIET,        /* nothing has come for long: the thread may go */
	LANE_NOTHING,      /* nothing has come yet */
	LANE_TASK,         /* *ret_task is to be run */
	LANE_TASK_OF_MANY, /* the same; another thread has to wait meanwhile */
} LaneNews;

/* Where a thread whose lane has no more tasks waits for one that does not come
 * through lanes_push(): a client's next command, say. */
typedef struct LaneWait {
	/* On a thread of the lane with this key. `alone`: no other thread is
	 * in the lane. Lasts some milliseconds at most. */
	LaneNews (*wait)(struct LaneWait *wait, uint64_t key, bool alone,
			 Task **ret_task);
} LaneWait;

struct Task {
	/* On some thread, with all signals blocked. May free the task. Returns
	 * where the thread can wait for further tasks of the lane, or NULL. */
	LaneWait *(*run)(Task *task);
	/* Private to lanes.c; the lane is set while the task is queued. */
	GList link;
	struct Lane *lane;
};

typedef struct LaneLimits {
	/* Threads that one lane may occupy with tasks. As many again may wait:
	 * they cannot be stuck. */
	unsigned int threads;
	/* True: a task waits even where no thread can be had for its lane;
	 * false: it is refused. */
	bool patient;
} LaneLimits;

/* At most `ceiling` threads. There is no way to free it: threads may be stuck
 * in the kernel for longer than the process lives. */
Lanes *lanes_new(unsigned int ceiling);

/* Queues the task at the end of its lane; any thread may call it. False: no
 * thread serves the lane and none can be started; the task stays the
 * caller's. All tasks of one key must come with the same limits. */
bool lanes_push(Lanes *lanes, uint64_t key, const LaneLimits *limits,
		Task *task);

/* Takes a task back. False: it runs already, or has run. */
bool lanes_cancel(Lanes *lanes, Task *task);

/* Whether the task waits in a lane. Only for assertions of a task's owner, who
 * knows that it is not about to be queued or run. */
static inline bool task_is_queued(const Task *task)
{
	return task->lane != NULL;
}

#endif
