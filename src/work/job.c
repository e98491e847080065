/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job's life on threads, and what the main loop may do to it meanwhile. The
 * hard rule: the lock is held while a job changes its state, and never while
 * anything blocks.
 */
#include "work/job.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/thread.h"
#include "device/backend.h"
#include "threads/disposal.h"

/* What holds of a job while nobody has the lock. */
static void job_assert_invariants(const Job *job)
{
	const Command *command = job->command;

	/* A job that listens has given its command away, and waits for one. */
	g_assert(command ? !job->listening : job->listening || job->finished);
	g_assert(!job->listening ||
		 (job->stays && !job->finished && !job->disowned));
	/* Each command has a deadline of its own. */
	g_assert(!command ||
		 job->deadline == command->arrival + job->host->timeout);
	/* Who was given up gets no reply. */
	g_assert(!job->disowned || (command && job->socket < 0));
}

static void job_lock(Job *job)
{
	mailbox_lock(&job->host->mailbox);
	job_assert_invariants(job);
}

static void job_unlock(Job *job)
{
	job_assert_invariants(job);
	mailbox_unlock(&job->host->mailbox);
}

static LaneLimits limits_of(const Command *command)
{
	return (LaneLimits) { .threads = command->backend->threads };
}

void job_refuse(Command *command)
{
	command_refuse(command, FAILURE_NO_RESOURCES,
		       "no thread is free for its device, and no further one "
		       "can be started");
}

/* Under the lock. The client's next request can reach the main loop only after
 * this, and finds the job in the mailbox then. */
static void reply(Job *job)
{
	Command *command = job->command;
	ssize_t n;

	g_assert(mailbox_is_locked());
	g_assert(!job->finished && !job->listening && command->sent == 0);
	if (job->socket < 0)
		return;
	n = send(job->socket, command->header, command_pack(command),
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	/* An error will be the connection's to find. */
	command->sent = n > 0 ? (size_t)n : 0;
}

/* Under the lock: whether the main loop has to hear of the answer at once. */
static bool is_urgent(const Job *job)
{
	const Command *command = job->command;

	g_assert(mailbox_is_locked() && command);
	return job->urgent || job->disowned || job->host->all_urgent ||
	       command->sent < WIRE_REPLY_SIZE + command->reply.size ||
	       job->host->is_urgent(command);
}

/* Under the lock. Where threads listen to the client, the main loop does not,
 * and would not notice. */
static void finish(Job *job)
{
	g_assert(!job->finished && !job->listening);
	job->finished = true;
	mailbox_put(&job->host->mailbox, &job->letter);
	if (job->stays || is_urgent(job))
		mailbox_wake(&job->host->mailbox);
}

/* Under the lock. False: there is no command, or no thread for its device. */
static bool go_on(Job *job, Command *command)
{
	Lanes *lanes = job->host->lanes;
	LaneLimits limits;

	g_assert(mailbox_is_locked() && !job->command && !job->finished);
	job->command = command;
	if (!command)
		return false;
	job->deadline = command->arrival + job->host->timeout;
	limits = limits_of(command);
	if (lanes_push_back(lanes, command->queue_key, &limits, &job->task))
		return true;
	disposal_close(lanes, &command->fd);
	job_refuse(command);
	return false;
}

/* Begins and ends under the lock. */
static void listen_to_client(Job *job)
{
	JobHost *host = job->host;
	Command *answered = g_steal_pointer(&job->command);
	Command *next;

	job->listening = true;
	job_unlock(job);
	next = host->next(answered);
	job_lock(job);
	job->listening = false;
	if (job->recalled)
		pthread_cond_signal(&host->let_go);
	if (!go_on(job, next))
		finish(job);
}

/* Under the lock. */
static bool may_stay(const Job *job)
{
	return job->stays && !job->command->failure && !is_urgent(job) &&
	       lanes_step_out(job->host->lanes);
}

static void run(Task *task)
{
	Job *job = (Job *)task;
	Command *command = job->command;

	g_assert(!thread_is_main() && !mailbox_is_locked());
	/* Only the back end's own answer counts. */
	command->answered = 0;
	command->backend->execute(command, job->deadline);
	/* Before the answer: who has it may count on our reference being gone,
	 * for instance to remove the device. */
	fd_clear(&command->fd);
	g_assert(command->answered > 0);
	job_lock(job);
	reply(job);
	if (may_stay(job))
		listen_to_client(job);
	else
		finish(job);
	job_unlock(job);
}

Job *job_new(JobHost *host, Command *command, int socket, bool stays)
{
	Job *job = g_new0(Job, 1);

	g_assert(thread_is_main());
	g_assert(command->backend && command->sent == 0);
	job->task.run = run;
	job->host = host;
	job->stays = stays;
	job->connection = command->connection;
	job->link.data = job;
	job->command = command;
	job->deadline = command->arrival + host->timeout;
	job->socket = socket;
	job->letter.data = job;
	return job;
}

void job_free(Job *job)
{
	g_assert(thread_is_main() && !task_is_queued(&job->task));
	/* No list has it, nor the mailbox. */
	g_assert(!job->link.next && !job->link.prev);
	g_assert(!job->letter.next && !job->letter.prev);
	g_free(job);
}

bool job_start(Job *job)
{
	LaneLimits limits = limits_of(job->command);

	g_assert(thread_is_main() && !job->finished);
	return lanes_push(job->host->lanes, job->command->queue_key, &limits,
			  &job->task);
}

bool job_cancel(Job *job, int64_t now)
{
	bool cancelled;

	job_lock(job);
	cancelled = job->deadline <= now &&
		    lanes_cancel(job->host->lanes, &job->task);
	g_assert(!cancelled ||
		 (!job->finished && !job->listening && !job->disowned));
	job_unlock(job);
	return cancelled;
}

int64_t job_time_left(Job *job, int64_t now)
{
	int64_t left;

	job_lock(job);
	left = job->listening ? job->host->timeout : job->deadline - now;
	job_unlock(job);
	return MAX(left, 0);
}

bool job_disown(Job *job, int64_t now)
{
	job_lock(job);
	g_assert(thread_is_main() && !job->disowned);
	job->disowned =
		!job->finished && !job->listening && job->deadline <= now;
	if (job->disowned)
		job->socket = -1;
	job_unlock(job);
	return job->disowned;
}

void job_hurry(Job *job)
{
	g_assert(thread_is_main());
	job_lock(job);
	job->urgent = true;
	if (job->finished)
		mailbox_wake(&job->host->mailbox);
	job_unlock(job);
}

void job_hurry_all(JobHost *host)
{
	g_assert(thread_is_main());
	mailbox_lock(&host->mailbox);
	host->all_urgent = true;
	mailbox_wake(&host->mailbox);
	mailbox_unlock(&host->mailbox);
}

void job_take_client_away(Job *job)
{
	job_lock(job);
	/* Once: the client it had is gone then. */
	g_assert(thread_is_main() && !job->recalled && !job->disowned);
	job->recalled = true;
	while (job->listening)
		pthread_cond_wait(&job->host->let_go, &job->host->mailbox.lock);
	job->socket = -1;
	job->connection = NULL;
	if (job->command)
		job->command->connection = NULL;
	job_unlock(job);
}
