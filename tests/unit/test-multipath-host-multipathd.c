/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to a multipathd that is a thread of this program and follows a
 * script, and answers of both generations of multipath-tools.
 */
#include "multipath/host/multipathd.h"

#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "testing.h"

/* Far longer than anything takes that is to succeed. */
#define LONG 30000

/* What it does with one connection. */
typedef struct Fake {
	const char *reply; /* with the NUL that ends it */
	size_t length;     /* announced; 0: of the reply */
	size_t cut;        /* send only so many bytes of all; 0: all */
	size_t piece;      /* bytes at a time; 0: all at once */
	gulong pause;      /* after each piece, in microseconds */
	bool mute;         /* takes the question and says nothing */

	int listener;
	char heard[128];
	GThread *thread;
} Fake;

static char *directory;

static void listen_at(Fake *fake, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = (socklen_t)strlen(name);

	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_no_errno(bind(
		fake->listener, (struct sockaddr *)&address,
		(socklen_t)offsetof(struct sockaddr_un, sun_path) + length));
	g_assert_no_errno(listen(fake->listener, 1));
	g_setenv("MULTIPATH_SOCKET_NAME", name, TRUE);
}

/* False: the time to ask was over before, on a busy machine. */
static bool read_question(int client, char *ret_text, size_t room)
{
	size_t length;
	ssize_t n = recv(client, &length, sizeof(length), MSG_WAITALL);

	if (n == 0)
		return false;
	g_assert_cmpint(n, ==, sizeof(length));
	g_assert_cmpuint(length, <=, room);
	g_assert_cmpint(recv(client, ret_text, length, MSG_WAITALL), ==,
			length);
	g_assert_cmpuint(strlen(ret_text) + 1, ==, length);
	return true;
}

static void send_reply(const Fake *fake, int client)
{
	size_t text = strlen(fake->reply) + 1;
	size_t length = fake->length ? fake->length : text;
	g_autofree char *bytes = g_malloc(sizeof(length) + text);
	size_t left = fake->cut ? fake->cut : sizeof(length) + text;
	size_t piece = fake->piece ? fake->piece : left;
	const char *next = bytes;

	memcpy(bytes, &length, sizeof(length));
	memcpy(bytes + sizeof(length), fake->reply, text);
	for (; left > 0; next += piece, left -= piece) {
		piece = MIN(piece, left);
		if (send(client, next, piece, MSG_NOSIGNAL) < 0)
			return;
		g_usleep(fake->pause);
	}
}

static void wait_for_end(int client)
{
	char byte;

	while (recv(client, &byte, 1, 0) > 0)
		;
}

static gpointer serve(gpointer data)
{
	Fake *fake = data;
	autofd client = accept(fake->listener, NULL, NULL);

	g_assert_cmpint(client, >=, 0);
	if (!read_question(client, fake->heard, sizeof(fake->heard)))
		return NULL;
	if (!fake->mute)
		send_reply(fake, client);
	if (!fake->cut)
		wait_for_end(client);
	return NULL;
}

static void start(Fake *fake)
{
	g_autofree char *name = NULL;

	directory = directory_new();
	name = g_build_filename(directory, "socket", NULL);
	listen_at(fake, name);
	fake->thread = g_thread_new("multipathd", serve, fake);
}

static void stop(Fake *fake)
{
	if (fake->thread)
		g_thread_join(g_steal_pointer(&fake->thread));
	fd_clear(&fake->listener);
	directory_remove(directory);
	g_clear_pointer(&directory, g_free);
}

static MultipathdAnswer ask(Fake *fake, MultipathdVerb verb, int timeout_ms)
{
	MultipathdAnswer answer;

	start(fake);
	answer = multipathd_ask(verb, "dm-3", 0xabcdef0123456789, true,
				timeout_ms);
	stop(fake);
	return answer;
}

static void test_questions(void)
{
	static const char *const questions[MULTIPATHD_VERB_COUNT] = {
		"getprkey map dm-3",
		"setprkey map dm-3 key 0xabcdef0123456789:aptpl",
		"unsetprkey map dm-3",
		"setprstatus map dm-3",
		"unsetprstatus map dm-3",
		"getprhold map dm-3",
		"setprhold map dm-3",
		"unsetprhold map dm-3",
	};

	for (int verb = 0; verb < MULTIPATHD_VERB_COUNT; verb++) {
		Fake fake = { .reply = verb == MULTIPATHD_GET_KEY    ? "none\n"
				       : verb == MULTIPATHD_GET_HOLD ? "set\n"
								     : "ok\n" };

		g_assert_cmpint(ask(&fake, verb, LONG).result, ==,
				MULTIPATHD_OK);
		g_assert_cmpstr(fake.heard, ==, questions[verb]);
	}
}

static void test_key_without_aptpl(void)
{
	Fake fake = { .reply = "ok\n" };

	start(&fake);
	g_assert_cmpint(
		multipathd_ask(MULTIPATHD_SET_KEY, "dm-12", 1, false, LONG)
			.result,
		==, MULTIPATHD_OK);
	stop(&fake);
	g_assert_cmpstr(fake.heard, ==, "setprkey map dm-12 key 0x1");
}

static void test_piecemeal(void)
{
	Fake fake = { .reply = "0x1234:aptpl\n", .piece = 1 };
	MultipathdAnswer answer = ask(&fake, MULTIPATHD_GET_KEY, LONG);

	g_assert_cmpint(answer.result, ==, MULTIPATHD_OK);
	g_assert_cmphex(answer.key, ==, 0x1234);
	g_assert_true(answer.aptpl);
}

/* A reply that ends early, at each byte of it. */
static void test_cut(void)
{
	for (size_t cut = 1; cut < sizeof(size_t) + 4; cut++) {
		Fake fake = { .reply = "ok\n", .cut = cut };

		g_assert_cmpint(ask(&fake, MULTIPATHD_UNSET_KEY, LONG).result,
				==, MULTIPATHD_SILENT);
	}
}

static void test_mute(void)
{
	Fake mute = { .mute = true };
	Fake slow = { .reply = "ok\n", .length = 100 };

	g_assert_cmpint(ask(&mute, MULTIPATHD_UNSET_KEY, 300).result, ==,
			MULTIPATHD_SILENT);
	g_assert_cmpint(ask(&slow, MULTIPATHD_UNSET_KEY, 300).result, ==,
			MULTIPATHD_SILENT);
}

/* Each piece comes in time, but not all of them: one deadline for the whole, or
 * this would take longer than PATIENCE_US. */
static void test_drop_by_drop(void)
{
	g_autofree char *text = g_strnfill(250, 'x');
	Fake fake = { .reply = text, .piece = 1, .pause = 200000 };
	gint64 begin = g_get_monotonic_time();

	g_assert_cmpint(ask(&fake, MULTIPATHD_UNSET_KEY, 300).result, ==,
			MULTIPATHD_SILENT);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, PATIENCE_US);
}

static void test_lengths(void)
{
	static const size_t lengths[] = { 257, 4096, SIZE_MAX / 2 + 1,
					  SIZE_MAX };

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		Fake fake = { .reply = "ok\n", .length = lengths[i] };

		g_assert_cmpint(ask(&fake, MULTIPATHD_UNSET_KEY, LONG).result,
				==, MULTIPATHD_FAILED);
	}
}

static void test_absent(void)
{
	Fake fake = { 0 };
	g_autofree char *too_long = g_strnfill(108, 'x');
	g_autofree char *left_behind = NULL;

	directory = directory_new();
	left_behind = g_build_filename(directory, "socket", NULL);
	listen_at(&fake, left_behind);
	fd_clear(&fake.listener);
	g_assert_cmpint(
		multipathd_ask(MULTIPATHD_GET_KEY, "dm-3", 0, false, LONG)
			.result,
		==, MULTIPATHD_ABSENT);
	g_setenv("MULTIPATH_SOCKET_NAME", "/nonexistent/socket", TRUE);
	g_assert_cmpint(
		multipathd_ask(MULTIPATHD_GET_KEY, "dm-3", 0, false, LONG)
			.result,
		==, MULTIPATHD_ABSENT);
	g_setenv("MULTIPATH_SOCKET_NAME", too_long, TRUE);
	g_assert_cmpint(
		multipathd_ask(MULTIPATHD_GET_KEY, "dm-3", 0, false, LONG)
			.result,
		==, MULTIPATHD_ABSENT);
	directory_remove(directory);
	g_clear_pointer(&directory, g_free);
}

static void test_abstract(void)
{
	g_autofree char *name = g_strdup_printf("@unit-%d", (int)getpid());
	Fake fake = { .reply = "none\n" };
	MultipathdAnswer answer;

	listen_at(&fake, name);
	fake.thread = g_thread_new("multipathd", serve, &fake);
	answer = multipathd_ask(MULTIPATHD_GET_KEY, "dm-3", 0, false, LONG);
	g_thread_join(g_steal_pointer(&fake.thread));
	fd_clear(&fake.listener);
	g_assert_cmpint(answer.result, ==, MULTIPATHD_OK);
}

/* Nobody accepts, and the queue is full: connect() itself would wait. */
static void test_full_queue(void)
{
	Fake fake = { 0 };
	g_autofree char *name = NULL;
	MultipathdResult result;

	directory = directory_new();
	name = g_build_filename(directory, "socket", NULL);
	listen_at(&fake, name);
	for (int i = 0; i < 4; i++)
		result =
			multipathd_ask(MULTIPATHD_GET_KEY, "dm-3", 0, false, 20)
				.result;
	g_assert_cmpint(result, ==, MULTIPATHD_SILENT);
	stop(&fake);
}

typedef struct ParseCase {
	MultipathdVerb verb;
	const char *text;
	MultipathdAnswer answer;
} ParseCase;

#define USAGE "multipath-tools v0.9.4 (12/19, 2022)\nCLI commands reference:\n"

static const ParseCase parse_cases[] = {
	{ MULTIPATHD_SET_KEY, "ok\n", { MULTIPATHD_OK } },
	{ MULTIPATHD_SET_KEY, "ok", { MULTIPATHD_OK } },
	{ MULTIPATHD_SET_KEY, "fail\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY,
	  "fail\ndevice not found\n",
	  { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY, "timeout\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY, "ok\nok\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY, "okay\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY, "OK\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY, "", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY, "o", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_HOLD, USAGE, { MULTIPATHD_FAILED } },
	{ MULTIPATHD_SET_KEY,
	  "permission deny: need to be root\n",
	  { MULTIPATHD_DENIED } },
	{ MULTIPATHD_GET_KEY,
	  "fail\npermission deny: need to be root\n",
	  { MULTIPATHD_DENIED } },
	{ MULTIPATHD_GET_KEY, "ok\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "none\n", { MULTIPATHD_OK } },
	{ MULTIPATHD_GET_KEY, "none", { MULTIPATHD_OK } },
	{ MULTIPATHD_GET_KEY, "none:aptpl\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x1\n", { MULTIPATHD_OK, .key = 1 } },
	{ MULTIPATHD_GET_KEY,
	  "0xffffffffffffffff:aptpl\n",
	  { MULTIPATHD_OK, .key = UINT64_MAX, .aptpl = true } },
	{ MULTIPATHD_GET_KEY,
	  "0xaBc:aptpl",
	  { MULTIPATHD_OK, .key = 0xabc, .aptpl = true } },
	{ MULTIPATHD_GET_KEY, "0x10000000000000000\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x:aptpl\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x-1\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x1 \n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x1:aptpl2\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "0x1:\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "1\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_KEY, "x1\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_HOLD, "set\n", { MULTIPATHD_OK, .hold = true } },
	{ MULTIPATHD_GET_HOLD, "unset\n", { MULTIPATHD_OK } },
	{ MULTIPATHD_GET_HOLD, "unknown\n", { MULTIPATHD_OK } },
	{ MULTIPATHD_GET_HOLD, "setting\n", { MULTIPATHD_FAILED } },
	{ MULTIPATHD_GET_HOLD, "2\n", { MULTIPATHD_FAILED } },
};

static void assert_same(MultipathdAnswer answer, MultipathdAnswer expected)
{
	g_assert_cmpint(answer.result, ==, expected.result);
	if (answer.result != MULTIPATHD_OK)
		return;
	g_assert_cmphex(answer.key, ==, expected.key);
	g_assert_cmpint(answer.aptpl, ==, expected.aptpl);
	g_assert_cmpint(answer.hold, ==, expected.hold);
}

static void test_parse(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(parse_cases); i++) {
		const ParseCase *this = &parse_cases[i];
		g_autofree char *line = g_strescape(this->text, NULL);

		g_test_message("%s", line);
		assert_same(multipathd_parse(this->verb, this->text,
					     strlen(this->text) + 1),
			    this->answer);
	}
}

/* The text's only NUL is its last byte. */
static void test_nul(void)
{
	MultipathdAnswer failed = { MULTIPATHD_FAILED };

	assert_same(multipathd_parse(MULTIPATHD_SET_KEY, "ok\n", 3), failed);
	assert_same(multipathd_parse(MULTIPATHD_SET_KEY, "ok\0\0", 4), failed);
	assert_same(multipathd_parse(MULTIPATHD_SET_KEY, "ok", 0), failed);
}

/* Takes the name while multipathd is away, and says yes to everything. */
static _Noreturn void be_an_impostor(Fake *fake, int ready)
{
	g_assert_no_errno(setgid(65534));
	g_assert_no_errno(setuid(65534));
	listen_at(fake, "@multipathd-impostor");
	g_assert_cmpint(write(ready, "", 1), ==, 1);
	serve(fake);
	_exit(EXIT_SUCCESS);
}

static void test_impostor(void)
{
	Fake fake = { .reply = "ok\n" };
	int ready[2];
	pid_t child;
	char byte;

	if (geteuid() != 0) {
		g_test_skip("needs root to become somebody else");
		return;
	}
	g_assert_no_errno(pipe(ready));
	child = fork();
	g_assert_no_errno(child);
	if (child == 0)
		be_an_impostor(&fake, ready[1]);
	close(ready[1]);
	g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
	close(ready[0]);
	g_setenv("MULTIPATH_SOCKET_NAME", "@multipathd-impostor", TRUE);
	g_assert_cmpint(
		multipathd_ask(MULTIPATHD_UNSET_KEY, "dm-0", 0, false, LONG)
			.result,
		==, MULTIPATHD_ABSENT);
	kill(child, SIGKILL);
	g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/multipathd/questions", test_questions);
	g_test_add_func("/multipathd/key-without-aptpl",
			test_key_without_aptpl);
	g_test_add_func("/multipathd/piecemeal", test_piecemeal);
	g_test_add_func("/multipathd/cut", test_cut);
	g_test_add_func("/multipathd/mute", test_mute);
	g_test_add_func("/multipathd/drop-by-drop", test_drop_by_drop);
	g_test_add_func("/multipathd/lengths", test_lengths);
	g_test_add_func("/multipathd/absent", test_absent);
	g_test_add_func("/multipathd/abstract", test_abstract);
	g_test_add_func("/multipathd/full-queue", test_full_queue);
	g_test_add_func("/multipathd/parse", test_parse);
	g_test_add_func("/multipathd/nul", test_nul);
	g_test_add_func("/multipathd/impostor", test_impostor);
	return g_test_run();
}
