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

struct Task {
	/* On some thread, with all signals blocked. May free the task. */
	void (*run)(Task *task);
	/* Private to lanes.c; the lane is set while the task is queued. */
	GList link;
	struct Lane *lane;
};

typedef struct LaneLimits {
	/* Threads that one lane may occupy. */
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

/* For a task that runs: its thread works for the lane no longer, and may wait
 * for something else, a moment: others may count on it. False: others wait for
 * the lane, the thread is needed. */
bool lanes_step_out(Lanes *lanes);

/* As lanes_push(), by a task that has stepped out, and that returns now: its
 * thread is the one that will look for work. */
bool lanes_push_back(Lanes *lanes, uint64_t key, const LaneLimits *limits,
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
