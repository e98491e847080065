/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands through real threads and a real main loop, to a back end of the
 * test's own: prompt, or stuck until the test lets it go. Deadlines are made
 * to pass by giving commands an arrival in the past.
 */
#ifndef WORKER_FIXTURE_H
#define WORKER_FIXTURE_H

#include "work/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "device/backend.h"
#include "looping.h"
#include "threads/closer.h"

/* Commands that the back ends below execute at a time on one device. */
#define THREADS 4

#define TIMEOUT_US ((int64_t)60 * 1000 * 1000)
#define SOON_US    ((int64_t)3 * 1000) /* until a deadline, microseconds */

static Poller *poller;
static ThreadPool *pool;
static Worker *worker;
static pthread_t main_thread;

/* What came back: answered commands, and copies of late ones. */
static GQueue answered = G_QUEUE_INIT;
static unsigned int late;
static bool late_has_connection;

/* Whether the loop has to hear of each answer at once. */
static atomic_bool all_urgent;

/* The back ends. */
static sem_t gate;
static atomic_uint executed;
static atomic_bool on_main_thread;
static _Atomic int64_t seen_deadline;

static inline bool is_urgent(const Command *command)
{
	(void)command;
	return atomic_load(&all_urgent);
}

static inline void on_answered(Command *command, void *data)
{
	g_assert_true(data == &answered);
	g_assert_true(pthread_equal(pthread_self(), main_thread));
	g_queue_push_tail(&answered, command);
}

static inline void on_returned_late(Command *command, void *data)
{
	g_assert_true(data == &answered);
	g_assert_true(pthread_equal(pthread_self(), main_thread));
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	late_has_connection |= command->connection != NULL;
	late++;
}

static inline void execute_prompt(Command *command, int64_t deadline_us)
{
	atomic_store(&seen_deadline, deadline_us);
	if (pthread_equal(pthread_self(), main_thread))
		atomic_store(&on_main_thread, true);
	command->data[0] = 0x42;
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
	atomic_fetch_add(&executed, 1);
}

static const Backend prompt = { .name = "prompt",
				.threads = THREADS,
				.execute = execute_prompt };

static inline void execute_stuck(Command *command, int64_t deadline_us)
{
	(void)deadline_us;
	atomic_fetch_add(&executed, 1);
	while (sem_wait(&gate) < 0)
		;
	memset(command->data, 0x43, 8);
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
}

static const Backend stuck = { .name = "stuck",
			       .threads = THREADS,
			       .execute = execute_stuck };

static inline void start(unsigned int ceiling)
{
	static const WorkerEvents events = {
		.is_urgent = is_urgent,
		.answered = on_answered,
		.returned_late = on_returned_late,
		.data = &answered,
	};
	static GPtrArray *all_pools; /* they live on; not a leak */
	g_autoptr(GError) error = NULL;

	if (!all_pools)
		all_pools = g_ptr_array_new();
	main_thread = pthread_self();
	late = 0;
	late_has_connection = false;
	atomic_store(&executed, 0);
	atomic_store(&all_urgent, true);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	pool = thread_pool_new(ceiling);
	g_ptr_array_add(all_pools, pool);
	poller = poller_new(&error);
	g_assert_no_error(error);
	worker = worker_new(poller, pool, TIMEOUT_US, &events, &error);
	g_assert_no_error(error);
	g_assert_nonnull(worker);
}

/* Nothing is left that would keep the loop busy; a timer may fire once more. */
static inline void assert_loop_rests(void)
{
	for (int i = 0; g_main_context_pending(NULL); i++) {
		g_assert_cmpint(i, <, 1000);
		g_main_context_iteration(NULL, FALSE);
	}
}

static inline void end(void)
{
	g_assert_cmpuint(answered.length, ==, 0);
	g_assert_cmpuint(worker_outstanding(worker), ==, 0);
	g_assert_cmpuint(worker_disowned(worker), ==, 0);
	wait_until(closer_pending() == 0);
	assert_loop_rests();
	g_clear_pointer(&worker, worker_free);
	g_clear_pointer(&poller, poller_free);
	g_assert_false(g_main_context_pending(NULL));
	sem_destroy(&gate);
}

/* A READ KEYS for 8 bytes. *ret_witness may be NULL. */
static inline Command *command_of(const Backend *backend, uint64_t key,
				  int *ret_witness)
{
	uint8_t cdb[WIRE_CDB_SIZE] = {
		SCSI_PERSISTENT_RESERVE_IN, 0, 0, 0, 0, 0, 0, 0, 8
	};
	ScsiPrCdb pr;
	Command *command;
	int witness;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, descriptor_new(&witness));
	command->arrival_us = g_get_monotonic_time();
	command->backend = backend;
	command->queue_key = key;
	command->connection = (Connection *)command->cdb; /* anything */
	if (ret_witness)
		*ret_witness = witness;
	else
		close(witness);
	return command;
}

/* The same, with little time left. */
static inline Command *urgent_command_of(const Backend *backend, uint64_t key,
					 int *ret_witness)
{
	Command *command = command_of(backend, key, ret_witness);

	command->arrival_us -= TIMEOUT_US - SOON_US;
	return command;
}

static inline Job *submit(Command *command)
{
	Job *job = worker_submit(worker, command, -1, false);

	g_assert_nonnull(job);
	return job;
}

static inline void wait_executed(unsigned int count)
{
	wait_until(atomic_load(&executed) >= count);
}

static inline void let_go(unsigned int count)
{
	while (count-- > 0)
		g_assert_no_errno(sem_post(&gate));
}

static inline Command *next_answer(void)
{
	run_until(answered.length > 0);
	return g_queue_pop_head(&answered);
}

static inline void free_next_answer(void)
{
	command_free(next_answer());
}

static inline void assert_refused(const Command *command, Failure failure)
{
	g_assert_cmphex(command->reply.status, ==, SCSI_CHECK_CONDITION);
	g_assert_cmpuint(command->reply.size, ==, 0);
	g_assert_cmpint(command->failure, ==, failure);
	g_assert_cmpstr(command->reason, !=, "");
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(failure));
}

#endif
