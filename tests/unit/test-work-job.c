/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active clients: what a device's threads do with them by themselves, when they
 * leave them to the main loop, and how the main loop gets a client back.
 */
#include "work/worker.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "device/backend.h"
#include "looping.h"
#include "threads/closer.h"

/* Commands that the back ends below execute at a time on one device. */
#define THREADS 4

#define TIMEOUT_US ((int64_t)60 * 1000 * 1000)
#define SOON_US    ((int64_t)3 * 1000)

static Poller *poller;
static ThreadPool *pool;
static Worker *worker;

static GQueue answered = G_QUEUE_INIT;
static unsigned int silent, late;
static atomic_bool all_urgent;

/* A client whose commands the test writes down beforehand. */
typedef struct Client {
	int ours, theirs;
	/* Of the thread: what it finds when it reads. */
	Command *next[8];
	unsigned int taken;
	unsigned int silences; /* times that it finds nothing before that */
	atomic_uint listened;
	sem_t *gate; /* it waits for this first */
} Client;

static Client client;

/* More of them, on the same device. */
#define CROWD 6
static Client crowd[CROWD];
static sem_t gate, listen_gate;
static atomic_uint executed;

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		;
}

static bool is_urgent(const Command *command)
{
	(void)command;
	return atomic_load(&all_urgent);
}

static ChannelNews next(Connection *connection, Command *command, bool wait,
			Command **ret_command)
{
	Client *of = (Client *)connection;
	Command *following;

	(void)wait;
	command_free(command);
	atomic_fetch_add(&of->listened, 1);
	if (of->gate)
		wait_for(of->gate);
	if (of->silences > 0) {
		of->silences--;
		return CHANNEL_SILENCE;
	}
	following = of->next[of->taken];
	if (!following)
		return CHANNEL_OTHER;
	of->taken++;
	following->arrival_us += g_get_monotonic_time();
	*ret_command = following;
	return CHANNEL_COMMAND;
}

static void on_answered(Command *command, void *data)
{
	(void)data;
	g_queue_push_tail(&answered, command);
}

static void on_silent(Connection *connection, void *data)
{
	g_assert_nonnull(connection);
	g_assert_true(data == &silent);
	silent++;
}

static void on_returned_late(Command *command, void *data)
{
	(void)data;
	g_assert_null(command->connection);
	late++;
}

static void execute_prompt(Command *command, int64_t deadline_us)
{
	g_assert_cmpint(deadline_us, ==, command->arrival_us + TIMEOUT_US);
	atomic_fetch_add(&executed, 1);
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
}

static void execute_stuck(Command *command, int64_t deadline_us)
{
	(void)deadline_us;
	atomic_fetch_add(&executed, 1);
	wait_for(&gate);
	command_answer(command, SCSI_GOOD, NULL, 0, 8);
}

static void execute_refusing(Command *command, int64_t deadline_us)
{
	(void)deadline_us;
	atomic_fetch_add(&executed, 1);
	command_refuse(command, FAILURE_NO_SCSI_DEVICE, "it is none");
}

static const Backend prompt = { .threads = THREADS, .execute = execute_prompt };
static const Backend stuck = { .threads = THREADS, .execute = execute_stuck };
static const Backend refusing = { .threads = THREADS,
				  .execute = execute_refusing };

static void start(unsigned int ceiling)
{
	static const WorkerEvents events = {
		.is_urgent = is_urgent,
		.next = next,
		.answered = on_answered,
		.fell_silent = on_silent,
		.returned_late = on_returned_late,
		.data = &silent,
	};
	static GPtrArray *all_pools; /* they live on; not a leak */
	g_autoptr(GError) error = NULL;
	int ends[2];

	if (!all_pools)
		all_pools = g_ptr_array_new();
	silent = late = 0;
	atomic_store(&executed, 0);
	atomic_store(&all_urgent, false);
	g_assert_no_errno(sem_init(&gate, 0, 0));
	g_assert_no_errno(sem_init(&listen_gate, 0, 0));
	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	memset(&client, 0, sizeof(client));
	client.ours = ends[0];
	client.theirs = ends[1];
	pool = thread_pool_new(ceiling);
	g_ptr_array_add(all_pools, pool);
	poller = poller_new(&error);
	g_assert_no_error(error);
	worker = worker_new(poller, pool, TIMEOUT_US, &events, &error);
	g_assert_no_error(error);
}

static void end(void)
{
	g_assert_cmpuint(answered.length, ==, 0);
	g_assert_cmpuint(worker_outstanding(worker), ==, 0);
	g_assert_cmpuint(worker_staying(worker), ==, 0);
	g_assert_cmpuint(worker_disowned(worker), ==, 0);
	wait_until(closer_pending() == 0);
	g_clear_pointer(&worker, worker_free);
	g_clear_pointer(&poller, poller_free);
	close(client.ours);
	close(client.theirs);
}

static Command *command_of(const Backend *backend, uint64_t key)
{
	uint8_t cdb[WIRE_CDB_SIZE] = {
		SCSI_PERSISTENT_RESERVE_IN, 0, 0, 0, 0, 0, 0, 0, 8
	};
	ScsiPrCdb pr;
	Command *command;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, open("/dev/null", O_RDWR | O_CLOEXEC));
	command->backend = backend;
	command->queue_key = key;
	command->connection = (Connection *)&client;
	return command;
}

static Job *submit(Command *command, bool stay)
{
	Job *job;

	command->arrival_us += g_get_monotonic_time();
	job = worker_submit(worker, command, client.ours, stay);
	g_assert_nonnull(job);
	return job;
}

static Job *submit_one(const Backend *backend)
{
	return submit(command_of(backend, 1), true);
}

/* Holds a place of the device, and has nothing to do with the client. */
static void submit_stuck(void)
{
	Command *command = command_of(&stuck, 1);

	command->arrival_us = g_get_monotonic_time();
	g_assert_nonnull(worker_submit(worker, command, -1, false));
}

static void let_go(unsigned int count)
{
	while (count-- > 0)
		g_assert_no_errno(sem_post(&gate));
}

static void free_next_answer(void)
{
	run_until(answered.length > 0);
	command_free(g_queue_pop_head(&answered));
}

static void assert_next_answer(Failure failure)
{
	Command *command;

	run_until(answered.length > 0);
	command = g_queue_pop_head(&answered);
	g_assert_true(command->connection == (Connection *)&client);
	g_assert_cmpuint(command->sent, ==, 0);
	g_assert_cmpint(command->fd, ==, -1);
	g_assert_cmpint(command->failure, ==, failure);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(failure));
	command_free(command);
}

/* Replies that the client has, each with 8 bytes. */
static void assert_replies(unsigned int count)
{
	uint8_t replies[10 * (WIRE_REPLY_SIZE + 8)];

	g_assert_cmpint(
		recv(client.theirs, replies, sizeof(replies), MSG_DONTWAIT), ==,
		count * (WIRE_REPLY_SIZE + 8));
}

static void assert_silence(void)
{
	run_until(silent > 0);
	g_assert_cmpuint(silent, ==, 1);
}

/* One command after the other, and the main loop hears of the end only. */
static void test_stay(void)
{
	start(8);
	client.next[0] = command_of(&prompt, 1);
	client.next[1] = command_of(&prompt, 1);
	submit_one(&prompt);
	g_assert_cmpuint(worker_staying(worker), ==, 1);
	assert_silence();
	g_assert_cmpuint(atomic_load(&executed), ==, 3);
	g_assert_cmpuint(atomic_load(&client.listened), ==, 3);
	assert_replies(3);
	end();
}

static void assert_leaves(void)
{
	free_next_answer();
	g_assert_cmpuint(atomic_load(&client.listened), ==, 0);
}

static void test_not_allowed(void)
{
	start(8);
	submit(command_of(&prompt, 1), false);
	worker_hurry_all(worker);
	assert_leaves();
	assert_replies(1);
	end();
}

static void test_urgent(void)
{
	start(8);
	atomic_store(&all_urgent, true);
	submit_one(&prompt);
	assert_leaves();
	assert_replies(1);
	end();
}

static void test_hurried(void)
{
	start(8);
	worker_hurry_all(worker);
	submit_one(&prompt);
	assert_leaves();
	assert_replies(1);
	end();
}

/* Who has not used a device properly is the main loop's. */
static void test_refused(void)
{
	start(8);
	submit_one(&refusing);
	assert_leaves();
	end();
}

/* The client reads nothing. */
static void test_socket_full(void)
{
	static const char junk[4096];

	start(8);
	while (send(client.ours, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	while (send(client.ours, junk, 1, MSG_DONTWAIT) > 0)
		;
	submit_one(&prompt);
	assert_leaves();
	end();
}

/* It holds no place of the device while it listens. */
static void test_place_is_free(void)
{
	start(8);
	client.gate = &listen_gate;
	submit_one(&prompt);
	wait_until(atomic_load(&client.listened));
	for (unsigned int i = 0; i < THREADS; i++)
		submit_stuck();
	wait_until(atomic_load(&executed) == 1 + THREADS);
	let_go(THREADS);
	g_assert_no_errno(sem_post(&listen_gate));
	assert_silence();
	worker_hurry_all(worker);
	for (unsigned int i = 0; i < THREADS; i++)
		free_next_answer();
	end();
}

/* The next command is for another device, which has its own queue. */
static void test_other_device(void)
{
	start(8);
	client.gate = &listen_gate;
	client.next[0] = command_of(&prompt, 2);
	submit_one(&prompt);
	wait_until(atomic_load(&client.listened));
	for (unsigned int i = 0; i < THREADS; i++)
		submit_stuck();
	g_assert_no_errno(sem_post(&listen_gate));
	g_assert_no_errno(sem_post(&listen_gate));
	assert_silence();
	assert_replies(2);
	let_go(THREADS);
	worker_hurry_all(worker);
	for (unsigned int i = 0; i < THREADS; i++)
		free_next_answer();
	end();
}

/* The only thread is the one that stays, and others have use for it. */
static void test_no_thread(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	start(1);
	client.gate = &listen_gate;
	client.next[0] = command_of(&prompt, 2);
	submit_one(&prompt);
	wait_until(atomic_load(&client.listened));
	closer_close(pool, &fd);
	g_assert_no_errno(sem_post(&listen_gate));
	assert_next_answer(FAILURE_NO_RESOURCES);
	g_assert_cmpuint(atomic_load(&executed), ==, 1);
	end();
}

/* A deadline that passes while no command is under way means nothing. */
static void test_deadline_listening(void)
{
	Command *command = command_of(&prompt, 1);

	start(8);
	client.gate = &listen_gate;
	client.next[0] = command_of(&prompt, 1);
	command->arrival_us = SOON_US - TIMEOUT_US;
	submit(command, true);
	wait_until(atomic_load(&client.listened) == 1);
	g_usleep(2 * SOON_US);
	g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(worker_outstanding(worker), ==, 1);
	g_assert_no_errno(sem_post(&listen_gate));
	g_assert_no_errno(sem_post(&listen_gate));
	assert_silence();
	assert_replies(2);
	end();
}

/* Each command has a deadline of its own. */
static void test_deadline_next(void)
{
	start(8);
	client.next[0] = command_of(&stuck, 1);
	client.next[0]->arrival_us = SOON_US - TIMEOUT_US;
	submit_one(&prompt);
	/* The loop has seen nothing yet: the timer is the first command's. */
	wait_until(atomic_load(&executed) == 2);
	g_usleep(2 * SOON_US);
	worker_expire_all(worker);
	assert_next_answer(FAILURE_OUTCOME_UNKNOWN);
	g_assert_cmpuint(worker_disowned(worker), ==, 1);
	g_assert_cmpuint(worker_staying(worker), ==, 0);
	let_go(1);
	run_until(late == 1);
	assert_replies(1);
	end();
}

/* Between two looks at a job its thread may have gone on to a command that has
 * more time: that one is neither taken back nor disowned. */
static void test_deadline_later(void)
{
	Job *executing, *queued;

	start(8);
	executing = submit_one(&stuck);
	for (int i = 1; i < THREADS; i++)
		submit_stuck();
	wait_until(atomic_load(&executed) == THREADS);
	queued = submit_one(&stuck);
	g_assert_false(job_disown(executing, executing->deadline_us - 1));
	g_assert_false(job_cancel(queued, queued->deadline_us - 1));
	g_assert_true(job_cancel(queued, queued->deadline_us));
	g_assert_true(job_start(queued));
	let_go(THREADS + 1);
	run_until(worker_outstanding(worker) == 0);
	while (answered.length > 0)
		command_free(g_queue_pop_head(&answered));
	assert_replies(2);
	end();
}

/* The timer goes by the latest command, and before those that have more time.
 */
static void test_deadline_moves(void)
{
	Command *command = command_of(&prompt, 1);

	start(8);
	command->arrival_us = SOON_US - TIMEOUT_US;
	client.next[0] = command_of(&stuck, 1);
	client.next[0]->arrival_us = 10 * SOON_US - TIMEOUT_US;
	client.gate = &listen_gate;
	submit(command, true);
	wait_until(atomic_load(&client.listened));
	submit_stuck();
	g_assert_no_errno(sem_post(&listen_gate));
	wait_until(atomic_load(&executed) == 3);
	assert_next_answer(FAILURE_OUTCOME_UNKNOWN);
	let_go(2);
	worker_hurry_all(worker);
	run_until(late == 1);
	free_next_answer();
	assert_replies(1);
	end();
}

static void test_expire_all_listening(void)
{
	start(8);
	client.gate = &listen_gate;
	submit_one(&prompt);
	wait_until(atomic_load(&client.listened));
	worker_expire_all(worker);
	g_assert_cmpuint(answered.length, ==, 0);
	g_assert_no_errno(sem_post(&listen_gate));
	assert_silence();
	assert_replies(1);
	end();
}

static gpointer open_listen_gate(gpointer data)
{
	g_usleep(SOON_US);
	g_assert_no_errno(sem_post(&listen_gate));
	return data;
}

/* While a thread listens the main loop waits for it; then the client is the
 * main loop's alone. */
static void abandon_listening(void)
{
	GThread *thread;
	Job *job;

	client.gate = &listen_gate;
	job = submit_one(&prompt);
	wait_until(atomic_load(&client.listened));
	thread = g_thread_new("gate", open_listen_gate, NULL);
	worker_abandon(worker, job);
	g_assert_cmpuint(atomic_load(&client.listened), ==, 1);
	g_thread_join(thread);
}

static void test_abandon_listening(void)
{
	start(8);
	abandon_listening();
	run_until(worker_outstanding(worker) == 0);
	g_assert_cmpuint(silent, ==, 0);
	assert_replies(1);
	end();
}

/* At the last moment the thread has taken another command. */
static void test_abandon_next(void)
{
	start(8);
	client.next[0] = command_of(&stuck, 1);
	abandon_listening();
	/* Dropped in the queue, or executed for nobody. */
	let_go(1);
	worker_hurry_all(worker);
	run_until(worker_outstanding(worker) == 0);
	while (answered.length > 0) {
		Command *command = g_queue_pop_head(&answered);

		g_assert_null(command->connection);
		command_free(command);
	}
	g_assert_cmpuint(silent, ==, 0);
	assert_replies(1);
	end();
}

/* Nothing yet: the client stays where it is. */
static void test_silence_goes_on(void)
{
	start(8);
	client.silences = 2;
	client.next[0] = command_of(&prompt, 1);
	submit_one(&prompt);
	assert_silence();
	g_assert_cmpuint(atomic_load(&client.listened), ==, 4);
	assert_replies(2);
	end();
}

static void crowd_start(unsigned int commands)
{
	int ends[2];

	for (Client *one = crowd; one < crowd + CROWD; one++) {
		g_assert_no_errno(socketpair(
			AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
		memset(one, 0, sizeof(*one));
		one->ours = ends[0];
		one->theirs = ends[1];
		/* As if it always had sent its next command. */
		if (commands > 0)
			g_assert_cmpint(send(one->theirs, "x", 1, 0), ==, 1);
		for (unsigned int i = 0; i < commands; i++) {
			one->next[i] = command_of(&prompt, 1);
			one->next[i]->connection = (Connection *)one;
		}
	}
}

static Job *crowd_submit(Client *one)
{
	Command *command = command_of(&prompt, 1);
	Job *job;

	command->connection = (Connection *)one;
	command->arrival_us = g_get_monotonic_time();
	job = worker_submit(worker, command, one->ours, true);
	g_assert_nonnull(job);
	return job;
}

/* What the connection does with a client that comes back: reads the next
 * command, if there is one. On a busy machine threads give up early. */
static void crowd_take_back(void)
{
	Command *command = g_queue_pop_head(&answered);
	Client *one = (Client *)command->connection;
	Command *following = one->next[one->taken];

	command_free(command);
	if (!following) {
		silent++;
		return;
	}
	one->taken++;
	following->arrival_us = g_get_monotonic_time();
	g_assert_nonnull(worker_submit(worker, following, one->ours, true));
}

static void crowd_run(void)
{
	while (silent < CROWD) {
		run_until(silent == CROWD || answered.length > 0);
		while (answered.length > 0)
			crowd_take_back();
	}
}

static void crowd_end(unsigned int replies)
{
	uint8_t bytes[10 * (WIRE_REPLY_SIZE + 8)];

	for (Client *one = crowd; one < crowd + CROWD; one++) {
		g_assert_cmpint(
			recv(one->theirs, bytes, sizeof(bytes), MSG_DONTWAIT),
			==, replies * (WIRE_REPLY_SIZE + 8));
		close(one->ours);
		close(one->theirs);
	}
	end();
}

/* Each is answered, by no more threads than the device may have: as many to run
 * commands, and as many to wait. */
static void test_crowd(void)
{
	start(2 * THREADS);
	crowd_start(4);
	for (Client *one = crowd; one < crowd + CROWD; one++)
		crowd_submit(one);
	crowd_run();
	g_assert_cmpuint(atomic_load(&executed), ==, 5 * CROWD);
	crowd_end(5);
}

/* Few threads may read at a time. */
static void test_crowd_one_reader(void)
{
	start(2 * THREADS);
	worker_limit_receivers(worker, 1);
	crowd_start(4);
	for (Client *one = crowd; one < crowd + CROWD; one++)
		crowd_submit(one);
	crowd_run();
	crowd_end(5);
}

/* All threads of the device are stuck, so nobody waits for its active clients,
 * and the main loop gets them. */
static void test_unattended(void)
{
	start(THREADS);
	crowd_start(0);
	for (Client *one = crowd; one < crowd + CROWD; one++) {
		one->silences = G_MAXUINT;
		crowd_submit(one);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		submit_stuck();
	wait_until(atomic_load(&executed) == CROWD + THREADS);
	run_until(silent + answered.length == CROWD);
	while (answered.length > 0)
		command_free(g_queue_pop_head(&answered));
	g_assert_cmpuint(worker_staying(worker), ==, 0);
	let_go(THREADS);
	worker_hurry_all(worker);
	for (unsigned int i = 0; i < THREADS; i++)
		free_next_answer();
	crowd_end(1);
}

/* A client whose events never end keeps the only thread from seeing that
 * another one is silent. */
static void test_overlooked(void)
{
	start(1);
	crowd_start(0);
	crowd[0].silences = G_MAXUINT;
	g_assert_cmpint(send(crowd[0].theirs, "x", 1, 0), ==, 1);
	crowd_submit(&crowd[0]);
	wait_until(atomic_load(&crowd[0].listened) > 1);
	crowd_submit(&crowd[1]);
	run_until(answered.length == 1);
	free_next_answer();
	worker_hurry_all(worker);
	run_until(silent == 1);
	for (Client *one = crowd + 2; one < crowd + CROWD; one++)
		crowd_submit(one);
	run_until(answered.length == CROWD - 2);
	while (answered.length > 0)
		command_free(g_queue_pop_head(&answered));
	crowd_end(1);
}

/* At the end the main loop gets all of them at once. */
static void test_hurry_active(void)
{
	start(8);
	crowd_start(0);
	for (Client *one = crowd; one < crowd + CROWD; one++) {
		one->silences = G_MAXUINT;
		crowd_submit(one);
	}
	wait_until(atomic_load(&executed) == CROWD);
	worker_hurry_all(worker);
	run_until(silent + answered.length == CROWD);
	while (answered.length > 0)
		command_free(g_queue_pop_head(&answered));
	crowd_end(1);
}

/* Who is taken away while it is silent leaves nothing behind. */
static void test_abandon_active(void)
{
	Job *jobs[CROWD];

	start(8);
	crowd_start(0);
	for (int i = 0; i < CROWD; i++) {
		crowd[i].silences = G_MAXUINT;
		jobs[i] = crowd_submit(&crowd[i]);
	}
	for (int i = 0; i < CROWD; i++)
		wait_until(recv(crowd[i].theirs, (char[1]) { 0 }, 1,
				MSG_PEEK | MSG_DONTWAIT) == 1);
	for (int i = 0; i < CROWD; i++)
		command_free(worker_abandon(worker, jobs[i]));
	worker_hurry_all(worker);
	run_until(worker_outstanding(worker) == 0);
	while (answered.length > 0)
		command_free(g_queue_pop_head(&answered));
	g_assert_cmpuint(silent, ==, 0);
	g_assert_cmpuint(worker_abandoned(worker), ==, 0);
	crowd_end(1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/job/stay", test_stay);
	g_test_add_func("/job/leave/not-allowed", test_not_allowed);
	g_test_add_func("/job/leave/urgent", test_urgent);
	g_test_add_func("/job/leave/hurried", test_hurried);
	g_test_add_func("/job/leave/refused", test_refused);
	g_test_add_func("/job/leave/socket-full", test_socket_full);
	g_test_add_func("/job/listening/place-is-free", test_place_is_free);
	g_test_add_func("/job/listening/other-device", test_other_device);
	g_test_add_func("/job/listening/no-thread", test_no_thread);
	g_test_add_func("/job/deadline/listening", test_deadline_listening);
	g_test_add_func("/job/deadline/next", test_deadline_next);
	g_test_add_func("/job/deadline/later", test_deadline_later);
	g_test_add_func("/job/deadline/moves", test_deadline_moves);
	g_test_add_func("/job/expire-all/listening", test_expire_all_listening);
	g_test_add_func("/job/abandon/listening", test_abandon_listening);
	g_test_add_func("/job/abandon/next", test_abandon_next);
	g_test_add_func("/job/silence-goes-on", test_silence_goes_on);
	g_test_add_func("/job/crowd/served", test_crowd);
	g_test_add_func("/job/crowd/one-reader", test_crowd_one_reader);
	g_test_add_func("/job/crowd/unattended", test_unattended);
	g_test_add_func("/job/crowd/overlooked", test_overlooked);
	g_test_add_func("/job/crowd/hurried", test_hurry_active);
	g_test_add_func("/job/crowd/abandoned", test_abandon_active);
	return g_test_run();
}
