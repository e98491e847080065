/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job's life on threads, and what the main loop may do to it meanwhile. The
 * hard rule: the lock is held while a job changes its state, and never while
 * anything blocks.
 */
#include "work/job.h"

#include <sys/socket.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/thread.h"
#include "device/backend.h"
#include "threads/closer.h"

/* Whether a thread waits for the client's next command, or reads it. */
static bool is_listening(const Job *job)
{
	return job->active.set || job->receiving;
}

/* What holds of a job while nobody has the lock. */
static void job_assert_invariants(const Job *job)
{
	const Command *command = job->command;

	/* Who has the client, if its last command is done: its set, a thread
	 * that reads, or the main loop. */
	g_assert(!!job->active.set + job->receiving + job->finished <= 1);
	g_assert(command ? !job->receiving
			 : job->active.set || job->receiving || job->finished);
	g_assert(!job->active.set ||
		 (job->stays && !job->disowned && !job->recalled));
	/* Each command has a deadline of its own. */
	g_assert(!command || job->deadline_us == command->arrival_us +
							 job->host->timeout_us);
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

static ThreadLimits limits_of(const Command *command)
{
	return (ThreadLimits) { .threads = command->backend->threads };
}

void job_refuse(Command *command)
{
	command_refuse(command, FAILURE_NO_RESOURCES,
		       "no thread is free for its device, and no further one "
		       "can be started");
}

/* Until a thread lets go of a client's socket. */
static void wait_for_end_of_use(JobHost *host)
{
	host->waiters++;
	pthread_cond_wait(&host->unused, &host->mailbox.lock);
	host->waiters--;
}

static void wait_for_user(Job *job)
{
	while (job->used)
		wait_for_end_of_use(job->host);
}

static void end_use(Job *job)
{
	job->used = false;
	if (job->host->waiters > 0)
		pthread_cond_broadcast(&job->host->unused);
}

static void send_reply(Job *job, int socket)
{
	Command *command = job->command;
	ssize_t n = send(socket, command->header, command_pack(command),
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	/* An error will be the connection's to find. */
	command->sent = n > 0 ? (size_t)n : 0;
}

/* Begins and ends under the lock. Whoever gets a reply may run at once, so an
 * active client's is sent without it, for the sake of others. With another's
 * the lock is held: its next request can reach the main loop only after this,
 * and finds the job in the mailbox then. */
static void reply(Job *job)
{
	int socket = job->socket;

	if (socket < 0)
		return;
	if (!job->stays) {
		send_reply(job, socket);
		return;
	}
	job->used = true;
	job_unlock(job);
	send_reply(job, socket);
	job_lock(job);
	end_use(job);
}

/* Under the lock: whether the main loop has to hear of the answer at once. */
static bool job_is_urgent(const Job *job)
{
	const Command *command = job->command;

	g_assert(mailbox_is_locked() && command);
	return job->urgent || job->disowned || job->host->all_urgent ||
	       command->sent < WIRE_REPLY_SIZE + command->reply.size ||
	       job->host->is_urgent(command);
}

/* Under the lock. While a client may be in a set the main loop does not watch
 * it, and would not notice. */
static void job_finish(Job *job)
{
	g_assert(!job->finished && !is_listening(job));
	job->finished = true;
	mailbox_put(&job->host->mailbox, &job->letter);
	if (job->stays || job_is_urgent(job))
		mailbox_wake(&job->host->mailbox);
}

/* --- the client's next command ----------------------------------------------
 */

static Job *job_of(ActiveMember *member)
{
	return container_of(member, Job, active);
}

/* Under the lock. False: the main loop gets the client. */
static bool listen_to_client(Job *job, uint64_t key, int64_t since)
{
	return job->stays && !job->recalled && !job->host->all_urgent &&
	       active_sets_join(&job->host->active, key, &job->active,
				job->socket, since);
}

/* Under the lock: the main loop gets all clients that have been silent since
 * then. */
static void give_back_silent(ActiveSet *set, int64_t since)
{
	GList *link;

	while ((link = set->members.head)) {
		ActiveMember *member = link->data;

		if (member->since > since)
			break;
		active_set_leave(member);
		job_finish(job_of(member));
	}
}

/* Under the lock: takes the client out of its set, to read from it. */
static Job *begin_to_receive(ActiveMember *member)
{
	Job *job = job_of(member);

	active_set_leave(member);
	job->receiving = true;
	job->used = true;
	job->host->receiving++;
	return job;
}

/* Under the lock. */
static void end_to_receive(Job *job)
{
	job->host->receiving--;
	job->receiving = false;
	end_use(job);
}

/* Under the lock: the only thread of a device waits for its only client's bytes
 * in the socket, if enough other threads can still read. */
static Job *pick_only_one(const JobHost *host, ActiveSet *set, bool alone)
{
	if (!alone || set->members.length != 1 ||
	    host->receiving + 1 >= host->receivers_max)
		return NULL;
	return begin_to_receive(set->members.head->data);
}

/* Under the lock, which it gives up meanwhile. */
static Job *poll_for_one(JobHost *host, ActiveSet *set)
{
	ActiveMember *member;
	int socket;

	if (set->members.length == 0)
		return NULL;
	active_set_arm(set);
	mailbox_unlock(&host->mailbox);
	socket = active_set_poll(set);
	mailbox_lock(&host->mailbox);
	if (socket < 0) {
		give_back_silent(set, g_get_monotonic_time() -
					      ACTIVE_SET_SILENCE_US);
		return NULL;
	}
	/* Not for long: the last of them may not wait while it reads. */
	while (host->receiving >= host->receivers_max)
		wait_for_end_of_use(host);
	member = active_set_member(set, socket);
	if (!member)
		return NULL;
	member->armed = false;
	return begin_to_receive(member);
}

/* Under the lock: the command goes on its way. True: on this thread. */
static bool go_on(Job *job, Command *command, uint64_t key)
{
	ThreadPool *pool = job->host->pool;
	ThreadLimits limits = limits_of(command);

	job->command = command;
	job->deadline_us = command->arrival_us + job->host->timeout_us;
	if (command->queue_key == key)
		return true;
	if (thread_pool_push(pool, command->queue_key, &limits, &job->task))
		return false;
	closer_close(pool, &command->fd);
	job_refuse(command);
	job_finish(job);
	return false;
}

/* Begins and ends under the lock. True: its command is for this queue. */
static bool job_receive(Job *job, bool wait, uint64_t key)
{
	JobHost *host = job->host;
	Command *answered, *next = NULL;
	ChannelNews news;

	answered = g_steal_pointer(&job->command);
	job_unlock(job);
	news = host->next(job->connection, answered, wait, &next);
	mailbox_lock(&host->mailbox);
	end_to_receive(job);
	if (news == CHANNEL_COMMAND)
		return go_on(job, next, key);
	if (news == CHANNEL_OTHER ||
	    !listen_to_client(job, key, g_get_monotonic_time()))
		job_finish(job);
	return false;
}

/* Under the lock. */
static ThreadNews news_of(const ActiveSet *set, bool has_task)
{
	bool others = set->members.length > 0;

	if (has_task)
		return others ? THREAD_TASK_OF_MANY : THREAD_TASK;
	return others ? THREAD_NOTHING : THREAD_QUIET;
}

static ThreadNews wait_in_set(ThreadWait *wait, uint64_t key, bool alone,
			      Task **ret_task)
{
	ActiveSet *set = container_of(wait, ActiveSet, wait);
	JobHost *host = set->sets->host;
	ThreadNews news = THREAD_QUIET;
	bool has_task = false;
	bool waits;
	Job *job;

	mailbox_lock(&host->mailbox);
	if (set->key == key) {
		set->inside++;
		set->attended = true;
		job = pick_only_one(host, set, alone);
		waits = job;
		if (!job)
			job = poll_for_one(host, set);
		has_task = job && job_receive(job, waits, key);
		if (has_task)
			*ret_task = &job->task;
		set->inside--;
		news = news_of(set, has_task);
	}
	mailbox_unlock(&host->mailbox);
	return news;
}

/* Under the lock: the job's command is answered, and the reply sent. Returns
 * where its thread can wait. */
static ThreadWait *end_of_command(Job *job)
{
	JobHost *host = job->host;
	Command *command = job->command;
	uint64_t key = command->queue_key;
	ActiveSet *set;

	if (command->failure || job_is_urgent(job) ||
	    !listen_to_client(job, key, command->answered_us))
		job_finish(job);
	set = active_sets_find(&host->active, key);
	return set ? &set->wait : NULL;
}

static ThreadWait *job_run(Task *task)
{
	Job *job = container_of(task, Job, task);
	JobHost *host = job->host;
	Command *command = job->command;
	ThreadWait *wait;

	g_assert(!thread_is_main() && !mailbox_is_locked());
	/* Only the back end's own answer counts. */
	command->answered_us = 0;
	command->backend->execute(command, job->deadline_us);
	/* Before the answer: who has it may count on our reference being gone,
	 * for instance to remove the device. */
	fd_clear(&command->fd);
	g_assert(command->answered_us > 0);
	job_lock(job);
	reply(job);
	wait = end_of_command(job);
	mailbox_unlock(&host->mailbox);
	return wait;
}

void job_host_init(JobHost *host, ThreadPool *pool, int64_t timeout_us)
{
	host->pool = pool;
	host->timeout_us = timeout_us;
	host->receivers_max = JOB_RECEIVERS;
	pthread_cond_init(&host->unused, NULL);
	active_sets_init(&host->active, host, wait_in_set);
}

void job_give_back_unattended(JobHost *host, int64_t since)
{
	mailbox_lock(&host->mailbox);
	for (guint i = 0; i < host->active.sets->len; i++) {
		ActiveSet *set = host->active.sets->pdata[i];

		give_back_silent(set, set->attended || set->inside > 0
					      ? since
					      : INT64_MAX);
		set->attended = false;
	}
	mailbox_unlock(&host->mailbox);
}

Job *job_new(JobHost *host, Command *command, int socket, bool stays)
{
	Job *job = g_new0(Job, 1);

	g_assert(thread_is_main());
	g_assert(command->backend && command->sent == 0);
	job->task.run = job_run;
	job->host = host;
	job->stays = stays;
	job->connection = command->connection;
	job->link.data = job;
	job->command = command;
	job->deadline_us = command->arrival_us + host->timeout_us;
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
	ThreadLimits limits = limits_of(job->command);

	g_assert(thread_is_main() && !job->finished);
	return thread_pool_push(job->host->pool, job->command->queue_key,
				&limits, &job->task);
}

bool job_cancel(Job *job, int64_t now)
{
	bool cancelled;

	job_lock(job);
	cancelled = job->deadline_us <= now &&
		    thread_pool_cancel(job->host->pool, &job->task);
	g_assert(!cancelled ||
		 (!job->finished && !is_listening(job) && !job->disowned));
	job_unlock(job);
	return cancelled;
}

int64_t job_time_left(Job *job, int64_t now)
{
	int64_t left;

	job_lock(job);
	left = is_listening(job) ? job->host->timeout_us
				 : job->deadline_us - now;
	job_unlock(job);
	return MAX(left, 0);
}

bool job_disown(Job *job, int64_t now)
{
	job_lock(job);
	/* A thread that sends is done at once; one that reads may wait, and
	 * then no command is under way. */
	while (job->used && !job->receiving)
		wait_for_end_of_use(job->host);
	job->disowned =
		!job->finished && !is_listening(job) && job->deadline_us <= now;
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
	for (guint i = 0; i < host->active.sets->len; i++)
		give_back_silent(host->active.sets->pdata[i], INT64_MAX);
	mailbox_wake(&host->mailbox);
	mailbox_unlock(&host->mailbox);
}

bool job_take_client_away(Job *job)
{
	bool waited;

	job_lock(job);
	wait_for_user(job);
	waited = job->active.set;
	if (waited)
		active_set_leave(&job->active);
	job->finished |= waited;
	job->recalled = !waited;
	job->socket = -1;
	job->connection = NULL;
	if (job->command)
		job->command->connection = NULL;
	job_unlock(job);
	return waited;
}
