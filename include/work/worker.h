/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands on their way to a device and back: queued per device, executed on
 * a thread, each answered by its deadline. Everything here is called on the
 * main loop.
 *
 *   submit --> queued --> executing --> answered
 *                |  ^         |
 *                |  +----- in the device's active set: one of its threads reads
 *                |            |      the client's next command
 *                |            |
 *                |            deadline: a substitute is answered with
 *                |            "outcome unknown"; the command itself is
 *                |            disowned and reported when it comes back
 *                deadline: answered with "not sent"
 */
#ifndef WORKER_H
#define WORKER_H

#include "base/poller.h"
#include "device/command.h"
#include "threads/thread-pool.h"
#include "work/job.h"

typedef struct Worker Worker;

/*
 * The thread that has the device's answer sends the reply itself, straight to
 * the client, and does not wake the main loop for it: the command comes back
 * with the loop's next turn, at the latest the one in which the client's next
 * request arrives. What the thread could not send (command->sent tells), the
 * connection sends.
 *
 * The client of a job that stays then waits in the device's active set, unless
 * the answer is the helper's own or urgent; see active-set.h.
 */
typedef struct WorkerEvents {
	/* On the thread: whether the main loop has to hear of this answer at
	 * once. Pure. */
	bool (*is_urgent)(const Command *command);
	/* On the thread: reads the client's next command; see channel_next().
	 */
	ChannelNews (*next)(Connection *connection, Command *answered,
			    bool wait, Command **ret_command);
	/* The command is answered; takes it. command->connection is where the
	 * answer goes, or NULL where the client has gone. */
	void (*answered)(Command *command, void *data);
	/* `next` gave none: the main loop has the client again. */
	void (*fell_silent)(Connection *connection, void *data);
	/* A disowned command came back from the kernel after its deadline,
	 * with an answer that nobody gets. Borrows it. */
	void (*returned_late)(Command *command, void *data);
	void *data;
} WorkerEvents;

/* Borrows the others, which have to outlive it. `timeout_us`: from a command's
 * arrival to its deadline, in microseconds. NULL with *error set on failure.
 */
Worker *worker_new(Poller *poller, ThreadPool *pool, int64_t timeout_us,
		   const WorkerEvents *events, GError **error);

/* How many threads may read from active clients at a time, JOB_RECEIVERS at
 * most and as a rule; with 0 no job may stay. */
void worker_limit_receivers(Worker *worker, unsigned int receivers);

/* Commands that still execute are left to their fate. Accepts NULL. */
void worker_free(Worker *worker);

/* Takes the command, whose back end is selected; the reply goes to `socket`,
 * which is borrowed until the job ends. `stay`: the client is active, threads
 * may read from it; until the job ends the main loop must not. NULL: no
 * thread could be had for the device; the command is answered, and still the
 * caller's. */
Job *worker_submit(Worker *worker, Command *command, int socket, bool stay);

/* The connection waits for this job to end: its answer is urgent. */
void worker_hurry(Worker *worker, Job *job);

/* From now on every answer is urgent. */
void worker_hurry_all(Worker *worker);

/* The client went away. A queued command is dropped, one that executes goes on
 * without a connection. Returns the one whose reply the client has got, which
 * is the caller's now; as a rule NULL. Waits for a thread that reads from the
 * client: nothing more may come from it, so that this is but a moment. */
Command *worker_abandon(Worker *worker, Job *job);

/* Treats all deadlines as passed, at the end of a shutdown's patience. */
void worker_expire_all(Worker *worker);

/* Jobs, disowned ones not counted. */
unsigned int worker_outstanding(const Worker *worker);

/* Those among them whose client has gone. Any thread. */
unsigned int worker_abandoned(const Worker *worker);

/* Those among them whose clients are active. */
unsigned int worker_staying(const Worker *worker);

/* Disowned commands that the kernel has not given back. Any thread. */
unsigned int worker_disowned(const Worker *worker);

#endif
