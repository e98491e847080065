/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main loop's side of the jobs. The hard rules: a command has one owner at
 * any time, its job says which; and every command is answered by its deadline,
 * whatever the kernel does.
 */
#include "work/worker.h"

#include <stdatomic.h>

#include "base/error.h"
#include "base/thread.h"
#include "threads/closer.h"
#include "work/job.h"

/* How long the threads of a device may be busy, or busy with other clients,
 * before an active client goes back to the main loop, which sees to its
 * deadline; at most twice this, in milliseconds. */
#define ATTENDANCE_MS ((int64_t)100)

struct Worker {
	JobHost host;
	WorkerEvents events;
	GQueue outstanding; /* of Job.link, in the order in which they are due
			     */
	GSource *timer;     /* fires at, or before, the first of them */
	unsigned int staying;
	guint look; /* a timer, while clients are active */
	/* Only the main loop changes them. */
	atomic_uint abandoned, disowned;
};

/* What holds between two calls: the timer is not late, and each count is one of
 * some of the jobs that are out. */
static void worker_assert_invariants(const Worker *worker)
{
	const Job *first = g_queue_peek_head((GQueue *)&worker->outstanding);
	int64_t fires = g_source_get_ready_time(worker->timer);

	g_assert(thread_is_main() && !mailbox_is_locked());
	g_assert(worker->abandoned <= worker->outstanding.length);
	g_assert(worker->staying <= worker->outstanding.length);
	g_assert(!first || (fires >= 0 && fires <= first->due_us));
}

static void arm_timer(Worker *worker)
{
	const Job *first = g_queue_peek_head(&worker->outstanding);

	g_source_set_ready_time(worker->timer, first ? first->due_us : -1);
}

/* At the head if before it is none. (GLib has this since 2.62.) */
static void insert_after(GQueue *queue, GList *before, GList *link)
{
	if (!before) {
		g_queue_push_head_link(queue, link);
	} else if (!before->next) {
		g_queue_push_tail_link(queue, link);
	} else {
		*link = (GList) { link->data, before->next, before };
		before->next->prev = link;
		before->next = link;
		queue->length++;
	}
}

/* Jobs become due in the order in which they come, but for those that have
 * had another command since. */
static void enqueue(Worker *worker, Job *job, int64_t due_us)
{
	GList *link = worker->outstanding.tail;

	job->due_us = due_us;
	while (link && ((Job *)link->data)->due_us > due_us)
		link = link->prev;
	insert_after(&worker->outstanding, link, &job->link);
	g_assert(!job->link.next ||
		 ((Job *)job->link.next->data)->due_us >= due_us);
}

static gboolean look_at_active(gpointer data)
{
	Worker *worker = data;

	if (worker->staying > 0) {
		job_give_back_unattended(&worker->host,
					 g_get_monotonic_time() -
						 ATTENDANCE_MS * 1000);
		return G_SOURCE_CONTINUE;
	}
	worker->look = 0;
	return G_SOURCE_REMOVE;
}

static void forget(Worker *worker, Job *job)
{
	g_assert(worker->outstanding.length > 0);
	g_assert(worker->abandoned >= job->recalled);
	g_assert(worker->staying >= job->stays);
	g_queue_unlink(&worker->outstanding, &job->link);
	worker->abandoned -= job->recalled;
	worker->staying -= job->stays;
}

static void answer(Worker *worker, Command *command)
{
	g_assert(command->answered_us > 0 && command->fd < 0);
	worker->events.answered(command, worker->events.data);
}

static void worker_finish(Worker *worker, Job *job)
{
	g_assert(job->finished);
	if (job->disowned) {
		g_assert(worker->disowned > 0 && !job->command->connection);
		worker->disowned--;
		worker->events.returned_late(job->command, worker->events.data);
		command_free(job->command);
	} else {
		forget(worker, job);
		if (job->command)
			answer(worker, job->command);
		else if (job->connection)
			worker->events.fell_silent(job->connection,
						   worker->events.data);
	}
	job_free(job);
}

static void collect(void *data)
{
	Worker *worker = data;
	GQueue letters = mailbox_take(&worker->host.mailbox);
	GList *letter;

	while ((letter = g_queue_pop_head_link(&letters)))
		worker_finish(worker, letter->data);
}

/* Answers in place of a device that takes too long. */
static void expire_executing(Worker *worker, Job *job)
{
	Command *substitute = command_new_substitute(job->command);

	g_assert(job->disowned);
	forget(worker, job);
	job->command->connection = NULL;
	worker->disowned++;
	command_refuse(substitute, FAILURE_OUTCOME_UNKNOWN,
		       "the device did not answer in time");
	answer(worker, substitute);
}

/* Of a job that no thread has: frees it. */
static Command *steal_command(Worker *worker, Job *job)
{
	Command *command = job->command;

	forget(worker, job);
	job_free(job);
	closer_close(worker->host.pool, &command->fd);
	return command;
}

static void expire_queued(Worker *worker, Job *job)
{
	Command *command = steal_command(worker, job);

	command_refuse(command, FAILURE_NOT_SENT,
		       "the device did not take it in time");
	answer(worker, command);
}

/* For a job that is due. It may have got time since. */
static void expire(Worker *worker, Job *job, int64_t now)
{
	int64_t left = job_time_left(job, now);

	if (left > 0) {
		g_queue_unlink(&worker->outstanding, &job->link);
		enqueue(worker, job, now + left);
	} else if (job_cancel(job, now)) {
		expire_queued(worker, job);
	} else if (job_disown(job, now)) {
		expire_executing(worker, job);
	} else {
		/* It came back at the last moment, or is the next one. */
		collect(worker);
	}
}

static gboolean timer_dispatch(gpointer data)
{
	Worker *worker = data;
	int64_t now;
	Job *job;

	collect(worker);
	while ((job = g_queue_peek_head(&worker->outstanding)) &&
	       job->due_us <= (now = g_get_monotonic_time()))
		expire(worker, job, now);
	arm_timer(worker);
	worker_assert_invariants(worker);
	return G_SOURCE_CONTINUE;
}

static gboolean timer_fire(GSource *source, GSourceFunc callback, gpointer data)
{
	(void)source;
	return callback(data);
}

static GSourceFuncs timer_funcs = { .dispatch = timer_fire };

Worker *worker_new(Poller *poller, ThreadPool *pool, int64_t timeout_us,
		   const WorkerEvents *events, GError **error)
{
	Worker *worker = g_new0(Worker, 1);
	JobHost *host = &worker->host;

	g_assert(thread_is_main() && timeout_us > 0);
	worker->events = *events;
	job_host_init(host, pool, timeout_us);
	host->is_urgent = events->is_urgent;
	host->next = events->next;
	worker->timer = g_source_new(&timer_funcs, sizeof(GSource));
	g_source_set_can_recurse(worker->timer, TRUE);
	g_source_set_callback(worker->timer, timer_dispatch, worker, NULL);
	g_source_attach(worker->timer, NULL);
	if (!mailbox_init(&host->mailbox, poller, collect, worker)) {
		error_set_errno(error, "cannot watch an event descriptor");
		worker_free(worker);
		return NULL;
	}
	return worker;
}

void worker_limit_receivers(Worker *worker, unsigned int receivers)
{
	worker->host.receivers_max = MIN(receivers, JOB_RECEIVERS);
}

void worker_free(Worker *worker)
{
	if (!worker)
		return;
	worker_assert_invariants(worker);
	g_source_destroy(worker->timer);
	g_source_unref(worker->timer);
	g_clear_handle_id(&worker->look, g_source_remove);
	mailbox_deinit(&worker->host.mailbox);
	/* Threads that are still out post into the mailbox some day, others may
	 * be about to leave an active set. */
	if (worker->disowned == 0 && worker->outstanding.length == 0 &&
	    active_sets_deinit(&worker->host.active))
		g_free(worker);
}

Job *worker_submit(Worker *worker, Command *command, int socket, bool stay)
{
	Job *job = job_new(&worker->host, command, socket, stay);

	worker->staying += stay;
	if (stay && !worker->look)
		worker->look =
			g_timeout_add(ATTENDANCE_MS, look_at_active, worker);
	enqueue(worker, job, job->deadline_us);
	if (g_source_get_ready_time(worker->timer) < 0)
		arm_timer(worker);
	worker_assert_invariants(worker);
	if (job_start(job))
		return job;

	forget(worker, job);
	job_free(job);
	job_refuse(command);
	return NULL;
}

void worker_hurry(Worker *worker, Job *job)
{
	(void)worker;
	job_hurry(job);
}

void worker_hurry_all(Worker *worker)
{
	job_hurry_all(&worker->host);
}

Command *worker_abandon(Worker *worker, Job *job)
{
	Command *command;

	if (!job_take_client_away(job)) {
		worker->abandoned++;
		if (job_cancel(job, INT64_MAX))
			command_free(steal_command(worker, job));
		return NULL;
	}
	command = job->command;
	forget(worker, job);
	job_free(job);
	return command;
}

void worker_expire_all(Worker *worker)
{
	/* When the last of their deadlines has passed. */
	int64_t end = g_get_monotonic_time() + worker->host.timeout_us;
	unsigned int count;
	Job *job;

	collect(worker);
	/* Those of now: an answer may bring the client's next command. */
	for (count = worker->outstanding.length; count > 0; count--) {
		job = g_queue_peek_head(&worker->outstanding);
		if (job)
			expire(worker, job, end);
	}
	worker_assert_invariants(worker);
}

unsigned int worker_outstanding(const Worker *worker)
{
	return worker->outstanding.length;
}

unsigned int worker_abandoned(const Worker *worker)
{
	return worker->abandoned;
}

unsigned int worker_staying(const Worker *worker)
{
	return worker->staying;
}

unsigned int worker_disowned(const Worker *worker)
{
	return worker->disowned;
}
