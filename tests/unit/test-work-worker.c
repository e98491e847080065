/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each command is answered once, by its own device's threads and never by the
 * main loop's; a device that hangs takes no other's.
 */
#include "worker-fixture.h"

static void test_answer(void)
{
	Connection *connection;
	Command *command;
	int64_t arrival;
	int witness;

	start(8);
	command = command_of(&prompt, 1, &witness);
	connection = command->connection;
	arrival = command->arrival_us;
	submit(command);
	g_assert_cmpuint(worker_outstanding(worker), ==, 1);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(worker_outstanding(worker), ==, 0);
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	g_assert_cmpuint(command->reply.size, ==, 8);
	g_assert_cmphex(command->data[0], ==, 0x42);
	g_assert_true(command->connection == connection);
	g_assert_false(atomic_load(&on_main_thread));
	g_assert_cmpint(atomic_load(&seen_deadline), ==, arrival + TIMEOUT_US);
	/* Gone before the answer is. */
	g_assert_cmpint(command->fd, ==, -1);
	g_assert_true(descriptor_is_closed(witness));
	command_free(command);
	close(witness);
	end();
}

static void test_many_answers(void)
{
	enum { COUNT = 500 };

	start(64);
	for (unsigned int i = 0; i < COUNT; i++)
		submit(command_of(&prompt, i % 8, NULL));
	for (unsigned int i = 0; i < COUNT; i++)
		free_next_answer();
	g_assert_cmpuint(atomic_load(&executed), ==, COUNT);
	end();
}

static void submit_next(Command *command, void *data)
{
	unsigned int *left = data;

	command_free(command);
	if (--*left > 0)
		submit(command_of(&prompt, 1, NULL));
}

/* As a connection does that has its next request already. */
static void test_submit_from_answer(void)
{
	unsigned int left = 50;
	WorkerEvents events = { .is_urgent = is_urgent,
				.answered = submit_next,
				.data = &left };

	start(8);
	worker_free(worker);
	worker = worker_new(poller, pool, TIMEOUT_US, &events, NULL);
	submit(command_of(&prompt, 1, NULL));
	run_until(left == 0);
	end();
}

static void test_devices_apart(void)
{
	start(64);
	for (unsigned int i = 0; i < 10; i++)
		submit(command_of(&stuck, 1, NULL));
	submit(command_of(&prompt, 2, NULL));
	free_next_answer();
	g_assert_cmpuint(worker_outstanding(worker), ==, 10);
	let_go(10);
	for (unsigned int i = 0; i < 10; i++)
		free_next_answer();
	end();
}

/* A hung device takes its own few threads and no more. */
static void test_threads_per_device(void)
{
	start(64);
	for (unsigned int i = 0; i < 10; i++)
		submit(command_of(&stuck, 1, NULL));
	wait_executed(THREADS);
	submit(command_of(&prompt, 2, NULL));
	free_next_answer();
	g_assert_cmpuint(atomic_load(&executed), ==, THREADS + 1);
	let_go(10);
	for (unsigned int i = 0; i < 10; i++)
		free_next_answer();
	end();
}

static void test_no_thread(void)
{
	Command *command;
	int witness;

	start(1);
	submit(command_of(&stuck, 1, NULL));
	command = command_of(&prompt, 2, &witness);
	g_assert_null(worker_submit(worker, command, -1, false));
	assert_refused(command, FAILURE_NO_RESOURCES);
	g_assert_false(descriptor_is_closed(witness));
	g_assert_cmpuint(worker_outstanding(worker), ==, 1);
	command_free(command);
	close(witness);
	let_go(1);
	free_next_answer();
	g_assert_cmpuint(atomic_load(&executed), ==, 1);
	end();
}

static void test_free_nothing(void)
{
	worker_free(NULL);
}

/* The process ends while a disk hangs. */
static void test_free_executing(void)
{
	static Worker *left; /* not a leak */
	int witness;

	start(8);
	submit(command_of(&stuck, 1, &witness));
	wait_executed(1);
	left = worker;
	g_clear_pointer(&worker, worker_free);
	g_clear_pointer(&poller, poller_free);
	g_assert_nonnull(left);
	let_go(1);
	wait_until(descriptor_is_closed(witness));
	close(witness);
}

static void execute_briefly(Command *command, int64_t deadline_us)
{
	(void)deadline_us;
	if (command->queue_key % 2)
		g_usleep(command->queue_key * 20);
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
	atomic_fetch_add(&executed, 1);
}

static const Backend brief = { .name = "brief",
			       .threads = THREADS,
			       .execute = execute_briefly };

typedef struct Tally {
	unsigned int by_device, not_sent, unknown, gone;
} Tally;

static void tally_answers(Tally *tally)
{
	Command *command;

	while ((command = g_queue_pop_head(&answered))) {
		if (!command->failure)
			tally->by_device++;
		else if (command->reply.sense[13] == 1)
			tally->not_sent++;
		else
			tally->unknown++;
		command_free(command);
	}
}

/* Deadlines in the middle of everything: each command is answered once, and
 * executed once or never, as its answer says. */
static void test_stress(void)
{
	enum { COUNT = 3000, KEYS = 10 };
	Tally tally = { 0 };

	start(64);
	for (unsigned int i = 0; i < COUNT; i++) {
		Command *command = command_of(&brief, i % KEYS, NULL);
		Job *job;
		unsigned int before;

		command->arrival_us -= TIMEOUT_US - 500;
		job = submit(command);
		if (i % 11 == 0) {
			before = worker_outstanding(worker);
			worker_abandon(worker, job);
			tally.gone += before - worker_outstanding(worker);
		}
		if (i % 4 == 0)
			g_main_context_iteration(NULL, FALSE);
		tally_answers(&tally);
	}
	run_until(worker_outstanding(worker) == 0 &&
		  worker_disowned(worker) == 0);
	tally_answers(&tally);
	g_test_message("by the device %u, not sent %u, unknown %u, gone %u",
		       tally.by_device, tally.not_sent, tally.unknown,
		       tally.gone);
	g_assert_cmpuint(tally.unknown, ==, late);
	g_assert_cmpuint(atomic_load(&executed), ==, tally.by_device + late);
	g_assert_cmpuint(tally.by_device + tally.not_sent + tally.unknown +
				 tally.gone,
			 ==, COUNT);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/worker/answer/one", test_answer);
	g_test_add_func("/worker/answer/many", test_many_answers);
	g_test_add_func("/worker/answer/submit-from-answer",
			test_submit_from_answer);
	g_test_add_func("/worker/devices/apart", test_devices_apart);
	g_test_add_func("/worker/devices/threads", test_threads_per_device);
	g_test_add_func("/worker/devices/no-thread", test_no_thread);
	g_test_add_func("/worker/free/nothing", test_free_nothing);
	g_test_add_func("/worker/free/executing", test_free_executing);
	g_test_add_func("/worker/stress", test_stress);
	return g_test_run();
}
