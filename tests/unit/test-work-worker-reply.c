/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies that a thread writes to the client's socket itself, and when the main
 * loop hears of them.
 */
#include "worker-fixture.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bytes.h"

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
	assert_refused(command, FAILURE_OUTCOME_UNKNOWN);
	g_assert_cmpuint(command->sent, ==, 0);
	command_free(command);
	let_go(1);
	run_until(late == 1);
	g_assert_false(client_has_bytes(&client));
	client_close(&client);
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
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
	return g_test_run();
}
