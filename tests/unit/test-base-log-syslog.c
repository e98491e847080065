/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A syslogd of our own: of either kind, restarted, late, and one that does not
 * read. Nothing of that may make a message wait.
 */
#include "base/log-syslog.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "testing.h"

static char *directory, *path;
static int listener = -1;

static void listen_as(int kind)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	listener = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	g_assert_no_errno(listener);
	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	g_assert_no_errno(
		bind(listener, (struct sockaddr *)&address, sizeof(address)));
	if (kind == SOCK_STREAM)
		g_assert_no_errno(listen(listener, 5));
}

/* As a syslogd that ends: its socket goes, its name may stay. */
static void end_listening(bool remove)
{
	fd_clear(&listener);
	if (remove)
		g_assert_no_errno(unlink(path));
}

static void set_up(int kind)
{
	directory = directory_new();
	path = g_build_filename(directory, "log", NULL);
	if (kind)
		listen_as(kind);
	log_syslog_open(path);
	g_assert_true(log_syslog_is_connected() == (kind != 0));
	/* A message that waited would wait for good. */
	alarm((unsigned int)(PATIENCE_US / 1000 / 1000));
}

static void tear_down(void)
{
	alarm(0);
	fd_clear(&listener);
	log_syslog_open("/nonexistent/log");
	directory_remove(directory);
	g_free(directory);
	g_free(path);
}

/* What has arrived, or NULL. */
static char *received(int fd)
{
	char bytes[8192];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	return n < 0 ? NULL : g_strndup(bytes, (gsize)n);
}

static void assert_received(const char *message)
{
	g_autofree char *text = received(listener);
	g_autofree char *end = g_strdup_printf(": %s", message);

	g_assert_nonnull(text);
	g_assert_true(g_str_has_suffix(text, end));
}

static void test_format(void)
{
	g_autofree char *text = NULL;
	g_autofree char *pattern = g_strdup_printf(
		"^<28>(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
		"[ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] "
		"qemu-pr-helper\\[%d\\]: client gone$",
		(int)getpid());

	set_up(SOCK_DGRAM);
	g_assert_true(log_syslog_send(LOG_LEVEL_WARNING, "client gone"));
	text = received(listener);
	g_assert_true(g_regex_match_simple(pattern, text, 0, 0));
	tear_down();
}

/* The time is the zone's, as everything else in that file. */
static void test_local_time(void)
{
	g_autofree char *east = NULL;
	g_autofree char *west = NULL;

	set_up(SOCK_DGRAM);
	g_setenv("TZ", "XXX-9", TRUE);
	log_syslog_open(path);
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "x"));
	east = received(listener);
	g_setenv("TZ", "XXX+2", TRUE);
	log_syslog_open(path);
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "x"));
	west = received(listener);
	/* "<30>Nov 28 09:", eleven hours apart. */
	g_assert_true(memcmp(east + strlen("<30>Nov 28 "),
			     west + strlen("<30>Nov 28 "), 2) != 0);
	g_unsetenv("TZ");
	tear_down();
}

static void test_longest(void)
{
	g_autofree char *message = g_strnfill(LOG_MESSAGE_MAX - 1, 'x');
	g_autofree char *longer = g_strnfill(3 * LOG_MESSAGE_MAX, 'y');
	g_autofree char *text = NULL;

	set_up(SOCK_DGRAM);
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, message));
	assert_received(message);
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, longer));
	text = received(listener);
	g_assert_cmpuint(strlen(text), >=, LOG_MESSAGE_MAX);
	tear_down();
}

/* Its name stays behind, or goes; the new one is found either way. */
static void test_restart(void)
{
	for (int i = 0; i < 2; i++) {
		set_up(SOCK_DGRAM);
		end_listening(i == 0);
		g_assert_false(log_syslog_send(LOG_LEVEL_INFO, "lost"));
		g_assert_false(log_syslog_is_connected());
		if (i > 0)
			g_assert_no_errno(unlink(path));
		listen_as(SOCK_DGRAM);
		g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "again"));
		assert_received("again");
		/* Between two messages: not one of them is lost. */
		end_listening(true);
		listen_as(SOCK_DGRAM);
		g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "and again"));
		assert_received("and again");
		tear_down();
	}
}

static void test_late(void)
{
	unsigned int before = descriptor_count();

	set_up(0);
	for (int i = 0; i < 3; i++)
		g_assert_false(log_syslog_send(LOG_LEVEL_INFO, "lost"));
	g_assert_cmpuint(descriptor_count(), ==, before);
	listen_as(SOCK_DGRAM);
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "first"));
	assert_received("first");
	tear_down();
	g_assert_cmpuint(descriptor_count(), ==, before);
}

/* A syslogd that hangs: what it has not read it gets when it goes on. */
static void test_full(int kind)
{
	unsigned int sent = 0;

	set_up(kind);
	while (log_syslog_send(LOG_LEVEL_INFO, "one of many"))
		sent++;
	g_assert_cmpuint(sent, >, 0);
	g_assert_true(log_syslog_is_connected());
	for (int i = 0; i < 1000; i++)
		g_assert_false(log_syslog_send(LOG_LEVEL_INFO, "lost"));
}

static void test_full_datagrams(void)
{
	test_full(SOCK_DGRAM);
	assert_received("one of many");
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "room again"));
	tear_down();
}

static int accepted(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	g_assert_no_errno(fd);
	return fd;
}

/* All of it, as a list of messages: each ends with a NUL. */
static GPtrArray *read_stream(int fd)
{
	GPtrArray *messages = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) all = g_string_new(NULL);
	char bytes[8192];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		g_string_append_len(all, bytes, n);
	g_assert_cmpint(all->str[all->len - 1], ==, '\0');
	for (size_t at = 0; at < all->len; at += strlen(all->str + at) + 1)
		g_ptr_array_add(messages, g_strdup(all->str + at));
	return messages;
}

static void test_stream(void)
{
	g_autoptr(GPtrArray) messages = NULL;
	autofd fd = -1;

	set_up(SOCK_STREAM);
	fd = accepted();
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "one"));
	g_assert_true(log_syslog_send(LOG_LEVEL_ERROR, "two"));
	messages = read_stream(fd);
	g_assert_cmpuint(messages->len, ==, 2);
	g_assert_true(g_str_has_prefix(messages->pdata[0], "<30>"));
	g_assert_true(g_str_has_suffix(messages->pdata[0], ": one"));
	g_assert_true(g_str_has_prefix(messages->pdata[1], "<27>"));
	g_assert_true(g_str_has_suffix(messages->pdata[1], ": two"));
	/* Restarted, as the other kind. */
	fd_clear(&fd);
	end_listening(true);
	g_assert_false(log_syslog_send(LOG_LEVEL_INFO, "lost"));
	listen_as(SOCK_DGRAM);
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "three"));
	assert_received("three");
	tear_down();
}

static void test_full_stream(void)
{
	g_autoptr(GPtrArray) messages = NULL;
	autofd fd = -1;

	test_full(SOCK_STREAM);
	fd = accepted();
	messages = read_stream(fd);
	/* Whole ones. */
	for (guint i = 0; i < messages->len; i++) {
		g_assert_true(g_str_has_prefix(messages->pdata[i], "<30>"));
		g_assert_true(
			g_str_has_suffix(messages->pdata[i], ": one of many"));
	}
	g_assert_true(log_syslog_send(LOG_LEVEL_INFO, "room again"));
	tear_down();
}

/* Nobody accepts, and the queue of those who wait for it is full. */
static void test_full_backlog(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autofd other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_up(0);
	listen_as(SOCK_STREAM);
	g_assert_no_errno(listen(listener, 0));
	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	g_assert_no_errno(
		connect(other, (struct sockaddr *)&address, sizeof(address)));
	g_assert_false(log_syslog_send(LOG_LEVEL_INFO, "lost"));
	tear_down();
}

#define THREADS  4
#define MESSAGES 200

static void *chatter(void *data)
{
	const char *message = data;

	for (int i = 0; i < MESSAGES; i++)
		while (!log_syslog_send(LOG_LEVEL_INFO, message))
			;
	return NULL;
}

/* Of several threads, while the syslogd is restarted again and again. */
static void test_threads(void)
{
	static const char *const texts[THREADS] = { "aaaa", "bbbb", "cccc",
						    "dddd" };
	pthread_t threads[THREADS];
	unsigned int count = 0;

	set_up(SOCK_DGRAM);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, chatter, (void *)texts[i]);
	while (count < 100) {
		g_autofree char *text = received(listener);

		if (!text)
			continue;
		g_assert_cmpuint(strspn(strrchr(text, ' ') + 1, "abcd"), ==, 4);
		if (++count % 10 == 0) {
			end_listening(true);
			listen_as(SOCK_DGRAM);
		}
	}
	/* Then nobody reads, and they would try for ever; so they are read. */
	for (int i = 0; i < THREADS; i++) {
		while (pthread_tryjoin_np(threads[i], NULL) != 0)
			g_free(received(listener));
	}
	tear_down();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log-syslog/format", test_format);
	g_test_add_func("/log-syslog/local-time", test_local_time);
	g_test_add_func("/log-syslog/longest", test_longest);
	g_test_add_func("/log-syslog/restart", test_restart);
	g_test_add_func("/log-syslog/late", test_late);
	g_test_add_func("/log-syslog/stream", test_stream);
	g_test_add_func("/log-syslog/never-waits/datagrams",
			test_full_datagrams);
	g_test_add_func("/log-syslog/never-waits/stream", test_full_stream);
	g_test_add_func("/log-syslog/never-waits/backlog", test_full_backlog);
	g_test_add_func("/log-syslog/threads", test_threads);
	return g_test_run();
}
