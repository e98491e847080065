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
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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

	/* Under worker->lock. */
	int socket;    /* where the reply goes; -1: nowhere (any more) */
	bool urgent;   /* the main loop waits for it */
	bool disowned; /* nobody waits for it */
	bool is_finished;
	GList finished; /* in worker->finished */
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
	 * out. The lock also says who may write to a client: a thread does so
	 * while it holds it, and the main loop takes a job's socket away while
	 * it does. Nothing blocks under it. */
	pthread_mutex_t lock;
	GQueue finished;
	bool all_urgent;
	bool woken; /* the eventfd was written and not yet read */
	Watch mail;
	int eventfd;
};

/* Worker thread, under the lock. The client's next request can reach the main
 * loop only after this, and finds the job in the mailbox then, because the
 * loop takes the lock first. */
static void reply(Job *job)
{
	Command *command = job->command;
	ssize_t n;

	if (job->socket < 0)
		return;
	n = send(job->socket, command->header, command_pack(command),
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	/* An error will be the connection's to find. */
	command->sent = n > 0 ? (size_t)n : 0;
}

/* Under the lock, so that the eventfd is not closed meanwhile. */
static void wake_main_loop(Worker *worker)
{
	static const uint64_t one = 1;

	if (worker->woken || worker->eventfd < 0)
		return;
	worker->woken = true;
	(void)!write(worker->eventfd, &one, sizeof(one));
}

static bool is_urgent(const Job *job)
{
	const Command *command = job->command;

	return job->urgent || job->disowned || job->worker->all_urgent ||
	       command->sent < WIRE_REPLY_SIZE + command->reply.size ||
	       job->worker->events.is_urgent(command);
}

/* Worker thread. */
static void deliver(Job *job)
{
	Worker *worker = job->worker;

	pthread_mutex_lock(&worker->lock);
	reply(job);
	job->is_finished = true;
	job->finished = (GList) { .data = job };
	g_queue_push_tail_link(&worker->finished, &job->finished);
	if (is_urgent(job))
		wake_main_loop(worker);
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
	deliver(job);
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

static void collect(void *data)
{
	Worker *worker = data;
	GQueue finished;
	GList *link;

	pthread_mutex_lock(&worker->lock);
	finished = worker->finished;
	g_queue_init(&worker->finished);
	worker->woken = false;
	pthread_mutex_unlock(&worker->lock);

	while ((link = g_queue_pop_head_link(&finished)))
		finish(worker, link->data);
}

static void mail_ready(Watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	(void)!read(watch->fd, &count, sizeof(count));
	collect((char *)watch - offsetof(Worker, mail));
}

/* Takes the reply out of the thread's hands. False: it has given it. */
static bool disown(Job *job)
{
	Worker *worker = job->worker;

	pthread_mutex_lock(&worker->lock);
	if (!job->is_finished) {
		job->socket = -1;
		job->disowned = true;
	}
	pthread_mutex_unlock(&worker->lock);
	return job->disowned;
}

/* Answers in place of a device that takes too long. */
static void expire_executing(Worker *worker, Job *job)
{
	Command *substitute = command_new_substitute(job->command);

	forget(worker, job);
	job->command->connection = NULL;
	worker->disowned++;
	command_refuse(substitute, sense_outcome_unknown,
		       "the device did not answer in time");
	answer(worker, substitute);
}

static void expire_queued(Worker *worker, Job *job)
{
	Command *command = job->command;

	forget(worker, job);
	g_free(job);
	disposal_close(worker->lanes, &command->fd);
	command_refuse(command, sense_not_sent,
		       "the device did not take it in time");
	answer(worker, command);
}

static void expire(Worker *worker, Job *job)
{
	if (lanes_cancel(worker->lanes, &job->task))
		expire_queued(worker, job);
	else if (disown(job))
		expire_executing(worker, job);
	else
		collect(worker); /* it came back at the last moment */
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
	g_source_set_can_recurse(worker->timer, TRUE);
	g_source_set_callback(worker->timer, timer_dispatch, worker, NULL);
	g_source_attach(worker->timer, NULL);
	worker->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	worker->mail = (Watch) { .fd = worker->eventfd, .ready = mail_ready };
	poller_on_turn(poller, collect, worker);
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
	poller_on_turn(worker->poller, NULL, NULL);
	if (worker->eventfd >= 0)
		poller_remove(worker->poller, &worker->mail);
	pthread_mutex_lock(&worker->lock);
	fd_clear(&worker->eventfd);
	pthread_mutex_unlock(&worker->lock);
	/* Threads that are still out post into the mailbox some day. */
	if (worker->disowned == 0 && worker->outstanding.length == 0)
		g_free(worker);
}

bool worker_submit(Worker *worker, Command *command, int socket)
{
	LaneLimits limits = { .threads = command->backend->threads };
	Job *job = g_new0(Job, 1);

	job->task.run = execute;
	job->worker = worker;
	job->command = command;
	job->socket = socket;
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
		       "no thread is free for its device, and no further one "
		       "can be started");
	return false;
}

void worker_hurry(Worker *worker, Command *command)
{
	pthread_mutex_lock(&worker->lock);
	command->job->urgent = true;
	if (command->job->is_finished)
		wake_main_loop(worker);
	pthread_mutex_unlock(&worker->lock);
}

void worker_hurry_all(Worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->all_urgent = true;
	wake_main_loop(worker);
	pthread_mutex_unlock(&worker->lock);
}

static void take_socket_away(Job *job)
{
	pthread_mutex_lock(&job->worker->lock);
	job->socket = -1;
	pthread_mutex_unlock(&job->worker->lock);
}

void worker_abandon(Worker *worker, Command *command)
{
	Job *job = command->job;

	command->connection = NULL;
	if (!lanes_cancel(worker->lanes, &job->task)) {
		take_socket_away(job);
		return;
	}
	forget(worker, job);
	g_free(job);
	disposal_close(worker->lanes, &command->fd);
	command_free(command);
}

void worker_expire_all(Worker *worker)
{
	Job *job;
	unsigned int count;

	collect(worker);
	/* Those of now: an answer may bring the client's next command. */
	for (count = worker->outstanding.length; count > 0; count--) {
		job = g_queue_peek_head(&worker->outstanding);
		if (job)
			expire(worker, job);
	}
}

unsigned int worker_outstanding(const Worker *worker)
{
	return worker->outstanding.length;
}

unsigned int worker_disowned(const Worker *worker)
{
	return worker->disowned;
}
