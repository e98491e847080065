/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that are given up: their deadline has passed, their client has gone,
 * or the process ends.
 */
#include "worker-fixture.h"

/* Occupies all threads that the device may have. */
static void occupy(uint64_t key)
{
	for (unsigned int i = 0; i < THREADS; i++)
		submit(command_of(&stuck, key, NULL));
	wait_executed(THREADS);
}

static void release_occupied(void)
{
	let_go(THREADS);
	for (unsigned int i = 0; i < THREADS; i++)
		free_next_answer();
}

/* The same with deadlines that pass as soon as the loop looks. */
static void occupy_urgently(uint64_t key, int *ret_witnesses)
{
	for (unsigned int i = 0; i < THREADS; i++)
		submit(urgent_command_of(&stuck, key, &ret_witnesses[i]));
	wait_executed(THREADS);
}

/* Lets disowned commands come back. */
static void release_disowned(int *witnesses)
{
	let_go(THREADS);
	run_until(worker_disowned(worker) == 0);
	g_assert_cmpuint(late, ==, THREADS);
	g_assert_false(late_has_connection);
	for (unsigned int i = 0; i < THREADS; i++) {
		g_assert_true(descriptor_is_closed(witnesses[i]));
		close(witnesses[i]);
	}
}

/* The kernel has it, so nobody knows what the device will do. */
static void test_deadline_executing(void)
{
	int witnesses[THREADS];
	int64_t submitted;

	start(8);
	submitted = g_get_monotonic_time();
	occupy_urgently(1, witnesses);
	for (unsigned int i = 0; i < THREADS; i++) {
		Command *command = next_answer();

		g_assert_cmpint(g_get_monotonic_time(), >=,
				submitted + SOON_US);
		assert_refused(command, FAILURE_OUTCOME_UNKNOWN);
		g_assert_nonnull(command->connection);
		g_assert_cmpint(command->fd, ==, -1);
		g_assert_cmphex(command->cdb[8], ==, 8);
		command_free(command);
		g_assert_false(descriptor_is_closed(witnesses[i]));
	}
	g_assert_cmpuint(worker_outstanding(worker), ==, 0);
	g_assert_cmpuint(worker_disowned(worker), ==, THREADS);
	g_assert_cmpuint(late, ==, 0);
	release_disowned(witnesses);
	end();
}

/* Never sent, so the client is told that it may try again. */
static void test_deadline_queued(void)
{
	int witnesses[THREADS], witness;
	Command *command, *given;
	int64_t submitted;

	start(8);
	occupy_urgently(1, witnesses);
	submitted = g_get_monotonic_time();
	given = urgent_command_of(&prompt, 1, &witness);
	submit(given);
	for (unsigned int i = 0; i < THREADS; i++)
		free_next_answer();
	command = next_answer();
	g_assert_true(command == given);
	g_assert_cmpint(g_get_monotonic_time(), >=, submitted + SOON_US);
	assert_refused(command, FAILURE_NOT_SENT);
	g_assert_nonnull(command->connection);
	g_assert_cmpint(command->fd, ==, -1);
	wait_until(descriptor_is_closed(witness));
	command_free(command);
	close(witness);
	release_disowned(witnesses);
	g_assert_cmpuint(atomic_load(&executed), ==, THREADS);
	end();
}

/* One timer for all: it goes on to the next deadline. */
static void test_deadlines_in_turn(void)
{
	Command *commands[3];
	int64_t deadlines[3];

	start(8);
	for (unsigned int i = 0; i < 3; i++) {
		commands[i] = urgent_command_of(&stuck, i, NULL);
		commands[i]->arrival_us += i * SOON_US;
		deadlines[i] = commands[i]->arrival_us + TIMEOUT_US;
		submit(commands[i]);
	}
	wait_executed(3);
	for (unsigned int i = 0; i < 3; i++) {
		Command *command = next_answer();

		g_assert_cmpint(command->arrival_us + TIMEOUT_US, ==,
				deadlines[i]);
		g_assert_cmpint(g_get_monotonic_time(), >=, deadlines[i]);
		command_free(command);
	}
	let_go(3);
	run_until(late == 3);
	end();
}

/* A device that is back works as ever, and nothing waits behind the timer. */
static void test_after_deadline(void)
{
	start(8);
	submit(urgent_command_of(&stuck, 1, NULL));
	wait_executed(1);
	free_next_answer();
	submit(command_of(&prompt, 1, NULL));
	Command *command = next_answer();
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	command_free(command);
	let_go(1);
	run_until(late == 1);
	end();
}

static void test_abandon_queued(void)
{
	Command *command;
	Job *job;
	int witness;

	start(8);
	occupy(1);
	command = command_of(&prompt, 1, &witness);
	job = submit(command);
	worker_abandon(worker, job);
	g_assert_cmpuint(worker_outstanding(worker), ==, THREADS);
	g_assert_cmpuint(worker_abandoned(worker), ==, 0);
	wait_until(descriptor_is_closed(witness));
	close(witness);
	release_occupied();
	run_pending();
	g_assert_cmpuint(atomic_load(&executed), ==, THREADS);
	end();
}

static void test_abandon_executing(void)
{
	Command *command, *given;
	Job *job;

	start(8);
	given = command_of(&stuck, 1, NULL);
	job = submit(given);
	wait_executed(1);
	worker_abandon(worker, job);
	g_assert_cmpuint(worker_outstanding(worker), ==, 1);
	g_assert_cmpuint(worker_abandoned(worker), ==, 1);
	let_go(1);
	command = next_answer();
	g_assert_cmpuint(worker_abandoned(worker), ==, 0);
	g_assert_true(command == given);
	g_assert_null(command->connection);
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	command_free(command);
	end();
}

/* The client has gone, and the device hangs as well. */
static void test_abandon_then_deadline(void)
{
	Command *command;
	Job *job;

	start(8);
	command = urgent_command_of(&stuck, 1, NULL);
	job = submit(command);
	wait_executed(1);
	worker_abandon(worker, job);
	command = next_answer();
	g_assert_cmpuint(worker_abandoned(worker), ==, 0);
	g_assert_cmpuint(worker_disowned(worker), ==, 1);
	g_assert_null(command->connection);
	assert_refused(command, FAILURE_OUTCOME_UNKNOWN);
	command_free(command);
	let_go(1);
	run_until(late == 1);
	end();
}

/* The answer is in the mailbox already, and nobody has looked. */
static void test_abandon_finished(void)
{
	Command *command;
	Job *job;

	start(1);
	command = command_of(&prompt, 1, NULL);
	job = submit(command);
	submit(command_of(&stuck, 1, NULL));
	wait_executed(2);
	worker_abandon(worker, job);
	g_assert_true(next_answer() == command);
	g_assert_null(command->connection);
	command_free(command);
	let_go(1);
	free_next_answer();
	end();
}

static void test_expire_all(void)
{
	unsigned int unknown = 0, not_sent = 0;
	Command *command;

	start(8);
	occupy(1);
	for (unsigned int i = 0; i < 3; i++)
		submit(command_of(&prompt, 1, NULL));
	worker_expire_all(worker);
	g_assert_cmpuint(worker_outstanding(worker), ==, 0);
	g_assert_cmpuint(worker_disowned(worker), ==, THREADS);
	while ((command = g_queue_pop_head(&answered))) {
		bool sent = command->reply.sense[13] == 2;

		assert_refused(command, sent ? FAILURE_OUTCOME_UNKNOWN
					     : FAILURE_NOT_SENT);
		*(sent ? &unknown : &not_sent) += 1;
		command_free(command);
	}
	g_assert_cmpuint(unknown, ==, THREADS);
	g_assert_cmpuint(not_sent, ==, 3);
	let_go(THREADS);
	run_until(late == THREADS);
	g_assert_cmpuint(atomic_load(&executed), ==, THREADS);
	end();
}

/* What the device has answered is what the client gets, also then. The first
 * command's thread is done with it when it has taken the second one. */
static void test_expire_all_answered(void)
{
	Command *command;

	start(1);
	submit(command_of(&prompt, 1, NULL));
	submit(command_of(&stuck, 1, NULL));
	wait_executed(2);
	worker_expire_all(worker);
	command = g_queue_pop_head(&answered);
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	command_free(command);
	command = g_queue_pop_head(&answered);
	assert_refused(command, FAILURE_OUTCOME_UNKNOWN);
	command_free(command);
	let_go(1);
	run_until(late == 1);
	end();
}

static sem_t other_gate;

static void execute_held(Command *command, int64_t deadline_us)
{
	(void)deadline_us;
	atomic_fetch_add(&executed, 1);
	while (sem_wait(&other_gate) < 0)
		;
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
}

static const Backend held = { .name = "held",
			      .threads = THREADS,
			      .execute = execute_held };

/* Lets the held command finish, and waits until its thread has gone on. */
static void finish_held(Command *command, void *data)
{
	on_answered(command, data);
	if (answered.length > 1)
		return;
	g_assert_no_errno(sem_post(&other_gate));
	wait_executed(3);
}

/* A command that comes back while an earlier one is given up. */
static void test_expire_all_last_moment(void)
{
	WorkerEvents events = { .is_urgent = is_urgent,
				.answered = finish_held,
				.returned_late = on_returned_late,
				.data = &answered };
	Command *command, *given;

	start(2);
	worker_free(worker);
	worker = worker_new(poller, pool, TIMEOUT_US, &events, NULL);
	g_assert_no_errno(sem_init(&other_gate, 0, 0));
	submit(command_of(&stuck, 1, NULL));
	given = command_of(&held, 2, NULL);
	submit(given);
	wait_executed(2);
	submit(command_of(&stuck, 2, NULL));
	worker_expire_all(worker);
	for (int i = 0; i < 3; i++) {
		command = g_queue_pop_head(&answered);
		g_assert_true((command == given) == (i == 1));
		if (i == 1)
			g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
		else
			assert_refused(command, FAILURE_OUTCOME_UNKNOWN);
		command_free(command);
	}
	let_go(2);
	run_until(late == 2);
	sem_destroy(&other_gate);
	end();
}

static void test_expire_none(void)
{
	start(8);
	worker_expire_all(worker);
	run_pending();
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/worker/deadline/executing", test_deadline_executing);
	g_test_add_func("/worker/deadline/queued", test_deadline_queued);
	g_test_add_func("/worker/deadline/in-turn", test_deadlines_in_turn);
	g_test_add_func("/worker/deadline/after", test_after_deadline);
	g_test_add_func("/worker/abandon/queued", test_abandon_queued);
	g_test_add_func("/worker/abandon/executing", test_abandon_executing);
	g_test_add_func("/worker/abandon/then-deadline",
			test_abandon_then_deadline);
	g_test_add_func("/worker/abandon/finished", test_abandon_finished);
	g_test_add_func("/worker/expire-all/waiting", test_expire_all);
	g_test_add_func("/worker/expire-all/answered",
			test_expire_all_answered);
	g_test_add_func("/worker/expire-all/last-moment",
			test_expire_all_last_moment);
	g_test_add_func("/worker/expire-all/none", test_expire_none);
	return g_test_run();
}
