/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on stderr, which is a pipe of ours here: whole, harmless, and never
 * waited for. The journal needs a system that has one; see
 * tests/integration.
 */
#include "base/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "testing.h"

#define PREFIX "qemu-pr-helper: "

static int real_stderr = -1, reader = -1;

/* stderr becomes the given descriptor, which is taken. */
static void redirect(int fd)
{
	fflush(stderr);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	g_assert_no_errno(real_stderr);
	g_assert_no_errno(dup2(fd, STDERR_FILENO));
	close(fd);
	log_init(LOG_TARGET_STDERR, false);
	log_set_level(LOG_LEVEL_INFO);
}

static void restore(void)
{
	g_assert_no_errno(dup2(real_stderr, STDERR_FILENO));
	fd_clear(&real_stderr);
	fd_clear(&reader);
	log_init(LOG_TARGET_STDERR, false);
}

static void capture(void)
{
	int ends[2];

	g_assert_no_errno(pipe2(ends, O_CLOEXEC));
	reader = ends[0];
	g_assert_no_errno(fcntl(reader, F_SETFL, O_NONBLOCK));
	redirect(ends[1]);
}

/* What has been written so far. */
static char *captured(void)
{
	GString *text = g_string_new(NULL);
	char bytes[4096];
	ssize_t n;

	while ((n = read(reader, bytes, sizeof(bytes))) > 0)
		g_string_append_len(text, bytes, n);
	return g_string_free(text, FALSE);
}

static void assert_captured(const char *expected)
{
	g_autofree char *text = captured();

	g_assert_cmpstr(text, ==, expected);
}

static void test_line(void)
{
	capture();
	log_message(LOG_LEVEL_WARNING, "client %d: %s", 7, "gone");
	assert_captured(PREFIX "client 7: gone\n");
	restore();
}

static void test_levels(void)
{
	static const LogLevel levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING,
					   LOG_LEVEL_NOTICE, LOG_LEVEL_INFO,
					   LOG_LEVEL_DEBUG };

	capture();
	for (size_t max = 0; max < G_N_ELEMENTS(levels); max++) {
		log_set_level(levels[max]);
		for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
			g_assert_true(log_wants(levels[i]) == (i <= max));
			log_message(levels[i], "x");
			assert_captured(i <= max ? PREFIX "x\n" : "");
		}
	}
	restore();
}

/* No client may forge a line, or send an escape sequence to a terminal. */
static void test_control_characters(void)
{
	char text[128];

	for (int i = 0; i < 127; i++)
		text[i] = (char)(i + 1);
	text[127] = '\0';
	capture();
	log_message(LOG_LEVEL_ERROR, "%s", text);
	for (int i = 0; i < 127; i++)
		if (i + 1 < 0x20 || i + 1 == 0x7f)
			text[i] = '?';
	g_autofree char *expected = g_strdup_printf(PREFIX "%s\n", text);
	assert_captured(expected);
	restore();
}

static void test_utf8(void)
{
	capture();
	log_message(LOG_LEVEL_ERROR, "Gr\303\274\303\237e \302\240");
	assert_captured(PREFIX "Gr\303\274\303\237e \302\240\n");
	/* U+009B begins an escape sequence like ESC [ does. */
	log_message(LOG_LEVEL_ERROR, "a\302\233b\302\200\302\237c");
	assert_captured(PREFIX "a??b????c\n");
	log_message(LOG_LEVEL_ERROR, "no UTF-8: \233 \303\274 \377");
	assert_captured(PREFIX "no UTF-8: ? ?? ?\n");
	restore();
}

/* Cut, and one line all the same. */
static void test_long(void)
{
	g_autofree char *text = g_strnfill(3 * LOG_MESSAGE_MAX, 'x');
	g_autofree char *line = NULL;

	capture();
	log_message(LOG_LEVEL_ERROR, "%s", text);
	line = captured();
	g_assert_cmpuint(strlen(line), <=, strlen(PREFIX) + LOG_MESSAGE_MAX);
	g_assert_cmpuint(strlen(line), >=, LOG_MESSAGE_MAX);
	g_assert_true(g_str_has_prefix(line, PREFIX "xxx"));
	g_assert_true(strchr(line, '\n') == line + strlen(line) - 1);
	restore();
}

static void test_record(void)
{
	static const char *const fields[] = { "PR_DEVICE=8:0", NULL };

	capture();
	log_record(LOG_LEVEL_INFO, fields, "on %s", "sda");
	log_record(LOG_LEVEL_INFO, NULL, "bare");
	log_record(LOG_LEVEL_DEBUG, fields, "not wanted");
	assert_captured(PREFIX "on sda\n" PREFIX "bare\n");
	restore();
}

static void test_start_error(void)
{
	capture();
	log_set_level(LOG_LEVEL_ERROR);
	log_start_error("cannot listen on 'a\nb'");
	assert_captured(PREFIX "cannot listen on 'a?b'\n");
	restore();
}

static void test_glib_messages(void)
{
	capture();
	g_log("Some", G_LOG_LEVEL_MESSAGE, "from GLib");
	assert_captured(PREFIX "Some: from GLib\n");
	restore();
}

/* Fills the pipe of stderr to the last byte. */
static void fill_pipe(void)
{
	g_autofree char *junk = g_strnfill(4096, '.');
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	while (write(STDERR_FILENO, junk, 4096) > 0)
		;
	while (write(STDERR_FILENO, junk, 1) > 0)
		;
	fcntl(STDERR_FILENO, F_SETFL, flags);
}

/* A message that waited would wait for good: nobody reads meanwhile. */
static void test_full_pipe(void)
{
	g_autofree char *junk = NULL;

	capture();
	fill_pipe();
	for (int i = 0; i < 5; i++)
		log_message(LOG_LEVEL_ERROR, "lost");
	junk = captured();
	g_assert_null(strstr(junk, "lost"));
	log_message(LOG_LEVEL_INFO, "again");
	assert_captured(PREFIX "5 log messages were lost, as they could not "
			       "be written\n" PREFIX "again\n");
	log_message(LOG_LEVEL_INFO, "more");
	assert_captured(PREFIX "more\n");
	restore();
}

/* The report of the losses can be lost as well; the count is not. */
static void test_full_pipe_twice(void)
{
	capture();
	fill_pipe();
	for (int i = 0; i < 3; i++)
		log_message(LOG_LEVEL_ERROR, "lost");
	g_free(captured());
	fill_pipe();
	for (int i = 0; i < 4; i++)
		log_message(LOG_LEVEL_ERROR, "lost");
	g_free(captured());
	log_message(LOG_LEVEL_INFO, "again");
	assert_captured(PREFIX "7 log messages were lost, as they could not "
			       "be written\n" PREFIX "again\n");
	restore();
}

/* libvirt closes its end once the helper has started. */
static void test_reader_gone(void)
{
	capture();
	fd_clear(&reader);
	for (int i = 0; i < 3; i++)
		log_message(LOG_LEVEL_ERROR, "to nobody");
	restore();
	/* What was lost there must not be told to another test's reader. */
	capture();
	log_message(LOG_LEVEL_INFO, "back");
	g_autofree char *text = captured();
	g_assert_true(g_str_has_suffix(text, PREFIX "back\n"));
	g_assert_nonnull(strstr(text, "3 log messages were lost"));
	restore();
}

static void test_socket(void)
{
	int ends[2];

	g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	reader = ends[0];
	g_assert_no_errno(fcntl(reader, F_SETFL, O_NONBLOCK));
	redirect(ends[1]);
	log_message(LOG_LEVEL_INFO, "through a socket");
	assert_captured(PREFIX "through a socket\n");
	for (int i = 0; i < 10000; i++)
		log_message(LOG_LEVEL_INFO, "too much for its buffer");
	g_free(captured());
	log_message(LOG_LEVEL_INFO, "again");
	g_autofree char *text = captured();
	g_assert_nonnull(strstr(text, "log messages were lost"));
	g_assert_true(g_str_has_suffix(text, PREFIX "again\n"));
	restore();
}

/* Without a journal, and with stderr a file, a line goes there. */
static void test_auto_file(void)
{
	g_autofree char *directory = directory_new();
	g_autofree char *path = g_build_filename(directory, "log", NULL);
	g_autofree char *text = NULL;

	redirect(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	log_init(LOG_TARGET_AUTO, false);
	log_message(LOG_LEVEL_INFO, "into a file");
	restore();
	text = file_read(path);
	g_assert_cmpstr(text, ==, PREFIX "into a file\n");
	directory_remove(directory);
}

/* A container: a pipe to its runtime, and no journal. */
static void test_auto_pipe(void)
{
	if (access("/run/systemd/journal/socket", F_OK) == 0) {
		g_test_skip("this system has a journal");
		return;
	}
	capture();
	log_init(LOG_TARGET_AUTO, false);
	log_message(LOG_LEVEL_INFO, "to the runtime");
	assert_captured(PREFIX "to the runtime\n");
	restore();
}

/* -d is going to replace stderr: whoever waits for its end must see one. */
static void test_detached(void)
{
	struct pollfd end;

	capture();
	log_init(LOG_TARGET_STDERR, true);
	g_assert_no_errno(dup2(real_stderr, STDERR_FILENO));
	end = (struct pollfd) { .fd = reader };
	g_assert_cmpint(poll(&end, 1, 0), ==, 1);
	g_assert_cmphex(end.revents, ==, POLLHUP);
	restore();
}

#define THREADS          4
#define LINES_PER_THREAD 500

static atomic_uint finished;

static void *chatter(void *data)
{
	const char *text = data;

	for (int i = 0; i < LINES_PER_THREAD; i++)
		log_message(LOG_LEVEL_INFO, "%s", text);
	atomic_fetch_add(&finished, 1);
	return NULL;
}

static void start_chatter(pthread_t *threads, char *const *texts)
{
	atomic_store(&finished, 0);
	for (int i = 0; i < THREADS; i++)
		g_assert_cmpint(
			pthread_create(&threads[i], NULL, chatter, texts[i]),
			==, 0);
}

static void texts_new(char **ret_texts)
{
	for (int i = 0; i < THREADS; i++)
		ret_texts[i] = g_strnfill(1500, (char)('a' + i));
}

static void append_captured(GString *text)
{
	g_autofree char *more = captured();

	g_string_append(text, more);
}

/* Each line is whole and from one thread; written and lost ones add up. */
static void assert_whole_lines(const char *text, char *const *texts)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned int whole = 0, lost = 0, more;

	for (char **line = lines; **line; line++) {
		const char *message = *line + strlen(PREFIX);

		g_assert_true(g_str_has_prefix(*line, PREFIX));
		if (sscanf(message, "%u log messages were lost", &more) == 1) {
			lost += more;
			continue;
		}
		g_assert_cmpstr(message, ==, texts[message[0] - 'a']);
		whole++;
	}
	g_assert_cmpuint(whole, >, 0);
	g_assert_cmpuint(whole + lost, ==, THREADS * LINES_PER_THREAD + 1);
}

/* With a reader that is slower than they: nothing is mixed up or forgotten. */
static void test_threads(void)
{
	g_autoptr(GString) all = g_string_new(NULL);
	pthread_t threads[THREADS];
	char *texts[THREADS];

	texts_new(texts);
	capture();
	start_chatter(threads, texts);
	while (atomic_load(&finished) < THREADS)
		append_captured(all);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	append_captured(all);
	/* Brings the count of what was lost last. */
	log_message(LOG_LEVEL_INFO, "%s", texts[0]);
	append_captured(all);
	restore();
	assert_whole_lines(all->str, texts);
	for (int i = 0; i < THREADS; i++)
		g_free(texts[i]);
}

/* Whether the room that poll() finds is taken before the caller uses it. */
static bool room_is_taken;

static int poll_and_fill(struct pollfd *fds, nfds_t count, int timeout)
{
	struct timespec time = { timeout / 1000, timeout % 1000 * 1000000 };
	int n = ppoll(fds, count, timeout < 0 ? NULL : &time, NULL);

	if (n > 0 && room_is_taken)
		fill_pipe();
	return n;
}

/* In place of the C library's. */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return poll_and_fill(fds, count, timeout);
}

/* What clang makes of poll() where newer C libraries check its arguments. */
int poll_checked(struct pollfd *fds, nfds_t count, int timeout,
		 size_t size) __asm__("__poll_chk");

int poll_checked(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
	g_assert_cmpuint(count * sizeof(*fds), <=, size);
	return poll_and_fill(fds, count, timeout);
}

/* Another thread, or another program with the same stderr, was faster. */
static void test_room_taken(void)
{
	g_autofree char *junk = NULL;

	capture();
	room_is_taken = true;
	alarm((unsigned int)(PATIENCE_US / 1000 / 1000));
	log_message(LOG_LEVEL_INFO, "lost");
	alarm(0);
	room_is_taken = false;
	junk = captured();
	g_assert_null(strstr(junk, "lost"));
	log_message(LOG_LEVEL_INFO, "again");
	assert_captured(PREFIX "1 log message was lost, as it could not be "
			       "written\n" PREFIX "again\n");
	restore();
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/line", test_line);
	g_test_add_func("/log/levels", test_levels);
	g_test_add_func("/log/control-characters", test_control_characters);
	g_test_add_func("/log/utf8", test_utf8);
	g_test_add_func("/log/long", test_long);
	g_test_add_func("/log/record", test_record);
	g_test_add_func("/log/start-error", test_start_error);
	g_test_add_func("/log/glib-messages", test_glib_messages);
	g_test_add_func("/log/auto/file", test_auto_file);
	g_test_add_func("/log/auto/pipe", test_auto_pipe);
	g_test_add_func("/log/detached", test_detached);
	g_test_add_func("/log/never-waits/full-pipe", test_full_pipe);
	g_test_add_func("/log/never-waits/full-pipe-twice",
			test_full_pipe_twice);
	g_test_add_func("/log/never-waits/socket", test_socket);
	g_test_add_func("/log/never-waits/reader-gone", test_reader_gone);
	g_test_add_func("/log/never-waits/room-taken", test_room_taken);
	g_test_add_func("/log/threads", test_threads);
	return g_test_run();
}
