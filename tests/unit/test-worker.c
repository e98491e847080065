/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands to back ends, and the clients' replies.
 */
#include "worker-fixture.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "bytes.h"

static void test_answer(void)
{
	Connection *connection;
	Command *command;
	int64_t arrival;
	int witness;

	start(8);
	command = command_of(&prompt, 1, &witness);
	connection = command->connection;
	arrival = command->arrival;
	submit(command);
	g_assert_cmpuint(worker_outstanding(worker), ==, 1);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(worker_outstanding(worker), ==, 0);
	g_assert_cmphex(command->reply.status, ==, SCSI_GOOD);
	g_assert_cmpuint(command->reply.size, ==, 8);
	g_assert_cmphex(command->data[0], ==, 0x42);
	g_assert_true(command->connection == connection);
	g_assert_false(atomic_load(&on_main_thread));
	g_assert_cmpint(atomic_load(&seen_deadline), ==, arrival + TIMEOUT);
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
	assert_refused(command, sense_no_resources);
	g_assert_false(descriptor_is_closed(witness));
	g_assert_cmpuint(worker_outstanding(worker), ==, 1);
	command_free(command);
	close(witness);
	let_go(1);
	free_next_answer();
	g_assert_cmpuint(atomic_load(&executed), ==, 1);
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
	worker = worker_new(poller, lanes, TIMEOUT, &events, NULL);
	submit(command_of(&prompt, 1, NULL));
	run_until(left == 0);
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

/* A client's socket: ours, and the client's own end. */
typedef struct Client {
	int ours, theirs;
} Client;

static Client client_new(void)
{
	int ends[2];

	g_assert_no_errno(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	return (Client) { ends[0], ends[1] };
}

static void client_close(Client *client)
{
	close(client->ours);
	close(client->theirs);
}

static Job *submit_for(Client *client, Command *command)
{
	Job *job = worker_submit(worker, command, client->ours, false);

	g_assert_nonnull(job);
	return job;
}

static bool client_has_bytes(const Client *client)
{
	struct pollfd end = { .fd = client->theirs, .events = POLLIN };

	return poll(&end, 1, 0) == 1;
}

/* Without a turn of the loop. */
static void assert_client_gets_reply(Client *client)
{
	uint8_t reply[WIRE_REPLY_SIZE + 8 + 1];

	wait_until(client_has_bytes(client));
	g_assert_cmpint(recv(client->theirs, reply, sizeof(reply), 0), ==,
			WIRE_REPLY_SIZE + 8);
	g_assert_cmphex(be32_get(reply), ==, SCSI_GOOD);
	g_assert_cmpuint(be32_get(reply + 4), ==, 8);
	g_assert_cmphex(reply[WIRE_REPLY_SIZE], ==, 0x42);
}

/* Occupies the only thread, so that what it did before is finished. */
static void let_finish(unsigned int done)
{
	submit(command_of(&stuck, 1, NULL));
	wait_executed(done + 1);
}

static void test_direct(void)
{
	Client client = client_new();
	Command *command;

	start(1);
	atomic_store(&all_urgent, false);
	command = command_of(&prompt, 1, NULL);
	submit_for(&client, command);
	assert_client_gets_reply(&client);
	let_finish(1);
	/* The loop was not woken, and hears of it when it looks. */
	g_assert_false(g_main_context_pending(NULL));
	g_assert_cmpuint(worker_outstanding(worker), ==, 2);
	worker_hurry_all(worker);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(command->sent, ==, WIRE_REPLY_SIZE + 8);
	command_free(command);
	let_go(1);
	free_next_answer();
	client_close(&client);
	end();
}

static void test_direct_urgent(void)
{
	Client client = client_new();
	Command *command;

	start(8);
	command = command_of(&prompt, 1, NULL);
	submit_for(&client, command);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(command->sent, ==, WIRE_REPLY_SIZE + 8);
	assert_client_gets_reply(&client);
	command_free(command);
	client_close(&client);
	end();
}

static void test_hurry_before(void)
{
	Client client = client_new();
	Command *command;
	Job *job;

	start(8);
	atomic_store(&all_urgent, false);
	command = command_of(&stuck, 1, NULL);
	job = submit_for(&client, command);
	worker_hurry(worker, job);
	let_go(1);
	g_assert_true(next_answer() == command);
	command_free(command);
	client_close(&client);
	end();
}

static void test_hurry_all(void)
{
	Client client = client_new();
	Command *command;

	start(8);
	atomic_store(&all_urgent, false);
	worker_hurry_all(worker);
	run_pending();
	command = command_of(&prompt, 1, NULL);
	submit_for(&client, command);
	g_assert_true(next_answer() == command);
	command_free(command);
	client_close(&client);
	end();
}

static void test_hurry_after(void)
{
	Client client = client_new();
	Command *command;
	Job *job;

	start(1);
	atomic_store(&all_urgent, false);
	command = command_of(&prompt, 1, NULL);
	job = submit_for(&client, command);
	let_finish(1);
	g_assert_false(g_main_context_pending(NULL));
	worker_hurry(worker, job);
	g_assert_true(next_answer() == command);
	command_free(command);
	let_go(1);
	free_next_answer();
	client_close(&client);
	end();
}

static atomic_uint answered_at_event;

static void client_ready(Watch *watch, uint32_t events)
{
	(void)events;
	poller_remove(poller, watch);
	atomic_store(&answered_at_event, answered.length);
}

/* The client's next request finds the answer of the last one delivered. */
static void test_next_request(void)
{
	Client client = client_new();
	Watch watch = { .fd = client.ours, .ready = client_ready };

	start(8);
	atomic_store(&all_urgent, false);
	for (unsigned int i = 0; i < 200; i++) {
		atomic_store(&answered_at_event, 77);
		g_assert_true(poller_add(poller, &watch, EPOLLIN));
		submit_for(&client, command_of(&prompt, 1, NULL));
		assert_client_gets_reply(&client);
		g_assert_cmpint(send(client.theirs, "x", 1, 0), ==, 1);
		run_until(atomic_load(&answered_at_event) != 77);
		g_assert_cmpuint(atomic_load(&answered_at_event), ==, 1);
		g_assert_cmpint(recv(client.ours, (char[1]) { 0 }, 1, 0), ==,
				1);
		free_next_answer();
	}
	client_close(&client);
	end();
}

/* No room in the socket: the connection has to send it, and hears of it. */
static void test_socket_full(void)
{
	static const char junk[4096];
	Client client = client_new();
	Command *command;

	start(8);
	atomic_store(&all_urgent, false);
	while (send(client.ours, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	while (send(client.ours, junk, 1, MSG_DONTWAIT) > 0)
		;
	command = command_of(&prompt, 1, NULL);
	submit_for(&client, command);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(command->sent, <, WIRE_REPLY_SIZE + 8);
	command_free(command);
	client_close(&client);
	end();
}

static void test_socket_closed(void)
{
	Client client = client_new();
	Command *command;

	start(8);
	atomic_store(&all_urgent, false);
	fd_clear(&client.theirs);
	command = command_of(&prompt, 1, NULL);
	submit_for(&client, command);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(command->sent, ==, 0);
	command_free(command);
	client_close(&client);
	end();
}

/* The descriptor's number may be another client's by then. */
static void test_abandoned_sends_nothing(void)
{
	Client client = client_new();
	Command *command;
	Job *job;

	start(8);
	command = command_of(&stuck, 1, NULL);
	job = submit_for(&client, command);
	wait_executed(1);
	worker_abandon(worker, job);
	let_go(1);
	g_assert_true(next_answer() == command);
	g_assert_cmpuint(command->sent, ==, 0);
	g_assert_false(client_has_bytes(&client));
	command_free(command);
	client_close(&client);
	end();
}

/* The client has an answer already, and may have the next one's under way. */
static void test_disowned_sends_nothing(void)
{
	Client client = client_new();
	Command *command;

	start(8);
	submit_for(&client, urgent_command_of(&stuck, 1, NULL));
	wait_executed(1);
	command = next_answer();
	assert_refused(command, sense_outcome_unknown);
	g_assert_cmpuint(command->sent, ==, 0);
	command_free(command);
	let_go(1);
	run_until(late == 1);
	g_assert_false(client_has_bytes(&client));
	client_close(&client);
	end();
}

static void execute_briefly(Command *command, int64_t deadline)
{
	(void)deadline;
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
		if (command->from_device)
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

		command->arrival -= TIMEOUT - 500;
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
	g_test_add_func("/worker/direct/reply", test_direct);
	g_test_add_func("/worker/direct/urgent", test_direct_urgent);
	g_test_add_func("/worker/direct/hurry-before", test_hurry_before);
	g_test_add_func("/worker/direct/hurry-after", test_hurry_after);
	g_test_add_func("/worker/direct/hurry-all", test_hurry_all);
	g_test_add_func("/worker/direct/next-request", test_next_request);
	g_test_add_func("/worker/direct/socket-full", test_socket_full);
	g_test_add_func("/worker/direct/socket-closed", test_socket_closed);
	g_test_add_func("/worker/direct/abandoned",
			test_abandoned_sends_nothing);
	g_test_add_func("/worker/direct/disowned", test_disowned_sends_nothing);
	g_test_add_func("/worker/devices/apart", test_devices_apart);
	g_test_add_func("/worker/devices/threads", test_threads_per_device);
	g_test_add_func("/worker/devices/no-thread", test_no_thread);
	g_test_add_func("/worker/free/nothing", test_free_nothing);
	g_test_add_func("/worker/free/executing", test_free_executing);
	g_test_add_func("/worker/stress", test_stress);
	return g_test_run();
}
