/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-off between the main loop and the threads that may block. The hard
 * rules: a command has one owner at any time, its job says which; and every
 * command is answered by its deadline, whatever the kernel does.
 */
#include "worker.h"

#include <errno.h>
#include <glib-unix.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "backend.h"
#include "disposal.h"
#include "error.h"
#include "fd.h"

struct Job {
	Task task; /* must be first: lanes.c hands it back */
	Worker *worker;
	Command *command;
	int64_t deadline;
	GList outstanding; /* in worker->outstanding, unless disowned */
	GList finished;    /* in worker->finished */
	bool disowned;
};
typedef struct Job Job;

struct Worker {
	Poller *poller;
	Lanes *lanes;
	int64_t timeout;
	WorkerEvents events;
	GQueue outstanding; /* of Job, by arrival and so by deadline */
	GSource *timer;     /* fires at, or before, the first deadline */
	unsigned int disowned;

	/* The mailbox: threads put finished jobs in, the main loop takes them
	 * out. The eventfd is written when the first one goes in. */
	pthread_mutex_t lock;
	GQueue finished;
	Watch mail;
	int eventfd;
};

/* Worker thread. */
static void post(Job *job)
{
	static const uint64_t one = 1;
	Worker *worker = job->worker;
	bool first;

	pthread_mutex_lock(&worker->lock);
	first = worker->finished.length == 0;
	job->finished = (GList) { .data = job };
	g_queue_push_tail_link(&worker->finished, &job->finished);
	/* Under the lock, so that it cannot be closed meanwhile. An eventfd
	 * write only fails, and would only block, near 2^64. */
	if (first && worker->eventfd >= 0)
		(void)!write(worker->eventfd, &one, sizeof(one));
	pthread_mutex_unlock(&worker->lock);
}

/* Worker thread. */
static void execute(Task *task)
{
	Job *job = (Job *)task;
	Command *command = job->command;

	command->backend->execute(command, job->deadline);
	/* Before the answer: who has it may count on our reference being gone,
	 * for instance to remove the device. */
	fd_clear(&command->fd);
	post(job);
}

static void arm_timer(Worker *worker)
{
	const Job *first = g_queue_peek_head(&worker->outstanding);

	g_source_set_ready_time(worker->timer, first ? first->deadline : -1);
}

static void forget(Worker *worker, Job *job)
{
	g_queue_unlink(&worker->outstanding, &job->outstanding);
	job->command->job = NULL;
}

static void answer(Worker *worker, Command *command)
{
	worker->events.answered(command, worker->events.data);
}

static void finish(Worker *worker, Job *job)
{
	if (job->disowned) {
		worker->disowned--;
		worker->events.returned_late(job->command, worker->events.data);
		command_free(job->command);
	} else {
		forget(worker, job);
		answer(worker, job->command);
	}
	g_free(job);
}

static void collect(Worker *worker)
{
	GQueue finished;
	GList *link;

	pthread_mutex_lock(&worker->lock);
	finished = worker->finished;
	g_queue_init(&worker->finished);
	pthread_mutex_unlock(&worker->lock);

	while ((link = g_queue_pop_head_link(&finished)))
		finish(worker, link->data);
}

static void mail_ready(Watch *watch, uint32_t events)
{
	Worker *worker = (Worker *)((char *)watch - offsetof(Worker, mail));
	uint64_t count;

	(void)events;
	(void)!read(watch->fd, &count, sizeof(count));
	collect(worker);
}

/* Gives up on a job: queued, it is over; executing, it is disowned. */
static void expire(Worker *worker, Job *job)
{
	Command *command = job->command;

	forget(worker, job);
	if (lanes_cancel(worker->lanes, &job->task)) {
		g_free(job);
		disposal_close(worker->lanes, &command->fd);
		command_refuse(command, sense_not_sent,
			       "the device did not take it in time");
	} else {
		job->disowned = true;
		worker->disowned++;
		command = command_new_substitute(command);
		job->command->connection = NULL;
		command_refuse(command, sense_outcome_unknown,
			       "the device did not answer in time");
	}
	answer(worker, command);
}

static gboolean timer_dispatch(gpointer data)
{
	Worker *worker = data;
	Job *job;

	collect(worker);
	while ((job = g_queue_peek_head(&worker->outstanding)) &&
	       job->deadline <= g_get_monotonic_time())
		expire(worker, job);
	arm_timer(worker);
	return G_SOURCE_CONTINUE;
}

static gboolean timer_fire(GSource *source, GSourceFunc callback, gpointer data)
{
	(void)source;
	return callback(data);
}

static GSourceFuncs timer_funcs = { .dispatch = timer_fire };

Worker *worker_new(Poller *poller, Lanes *lanes, int64_t timeout,
		   const WorkerEvents *events, GError **error)
{
	Worker *worker = g_new0(Worker, 1);

	worker->poller = poller;
	worker->lanes = lanes;
	worker->timeout = timeout;
	worker->events = *events;
	pthread_mutex_init(&worker->lock, NULL);
	worker->timer = g_source_new(&timer_funcs, sizeof(GSource));
	g_source_set_callback(worker->timer, timer_dispatch, worker, NULL);
	g_source_attach(worker->timer, NULL);
	worker->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	worker->mail = (Watch) { .fd = worker->eventfd, .ready = mail_ready };
	if (worker->eventfd < 0 ||
	    !poller_add(poller, &worker->mail, EPOLLIN)) {
		error_set_errno(error, "cannot watch an event descriptor");
		worker_free(worker);
		return NULL;
	}
	return worker;
}

void worker_free(Worker *worker)
{
	if (!worker)
		return;
	g_source_destroy(worker->timer);
	g_source_unref(worker->timer);
	if (worker->eventfd >= 0)
		poller_remove(worker->poller, &worker->mail);
	pthread_mutex_lock(&worker->lock);
	fd_clear(&worker->eventfd);
	pthread_mutex_unlock(&worker->lock);
	/* Threads that are still out post into the mailbox some day. */
	if (worker->disowned == 0 && worker->outstanding.length == 0)
		g_free(worker);
}

bool worker_submit(Worker *worker, Command *command)
{
	static const LaneLimits limits = { .threads =
						   WORKER_THREADS_PER_DEVICE };
	Job *job = g_new0(Job, 1);

	job->task.run = execute;
	job->worker = worker;
	job->command = command;
	job->deadline = command->arrival + worker->timeout;
	job->outstanding.data = job;
	command->job = job;
	g_queue_push_tail_link(&worker->outstanding, &job->outstanding);
	if (g_source_get_ready_time(worker->timer) < 0)
		arm_timer(worker);
	if (lanes_push(worker->lanes, command->queue_key, &limits, &job->task))
		return true;

	forget(worker, job);
	g_free(job);
	command_refuse(command, sense_no_resources,
		       "all %u threads wait for other devices",
		       WORKER_THREADS_MAX);
	return false;
}

void worker_abandon(Worker *worker, Command *command)
{
	Job *job = command->job;

	command->connection = NULL;
	if (!lanes_cancel(worker->lanes, &job->task))
		return;
	forget(worker, job);
	g_free(job);
	disposal_close(worker->lanes, &command->fd);
	command_free(command);
}

void worker_expire_all(Worker *worker)
{
	Job *job;

	collect(worker);
	while ((job = g_queue_peek_head(&worker->outstanding)))
		expire(worker, job);
}

unsigned int worker_outstanding(const Worker *worker)
{
	return worker->outstanding.length;
}

unsigned int worker_disowned(const Worker *worker)
{
	return worker->disowned;
}
