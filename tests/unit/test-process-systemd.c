/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment as systemd, and as others, may leave it. What is expected is
 * the same with and without libsystemd; tests/cross runs the latter.
 */
#include "process/systemd.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "testing.h"

#define OTHER "1"

static char own[16];

/* NULL: not set. */
static void set(const char *variable, const char *value)
{
	if (value)
		g_setenv(variable, value, TRUE);
	else
		g_unsetenv(variable);
}

static void listen_fds(void)
{
	static const struct {
		const char *pid, *count;
		int expected; /* -1: any error */
	} cases[] = {
		{ NULL, NULL, 0 },         { NULL, "1", 0 },
		{ own, NULL, 0 },          { OTHER, "2", 0 },
		{ own, "1", 1 },           { own, "2", 2 },
		{ "", "1", -1 },           { "x", "1", -1 },
		{ "-1", "1", -1 },         { "0", "1", -1 },
		{ own, "", -1 },           { own, "x", -1 },
		{ own, "-1", -1 },         { own, "0", -1 },
		{ own, "1x", -1 },         { own, "1000000", -1 },
		{ own, "2147483647", -1 },
	};

	g_assert_no_errno(dup2(STDIN_FILENO, SYSTEMD_LISTEN_FD));
	g_assert_no_errno(dup2(STDIN_FILENO, SYSTEMD_LISTEN_FD + 1));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int found;

		g_test_message("case %zu", i);
		set("LISTEN_PID", cases[i].pid);
		set("LISTEN_FDS", cases[i].count);
		set("LISTEN_FDNAMES", "a:b");
		found = systemd_listen_fds();
		g_assert_cmpint(MAX(found, -1), ==, cases[i].expected);
		g_assert_null(g_getenv("LISTEN_PID"));
		g_assert_null(g_getenv("LISTEN_FDS"));
		g_assert_null(g_getenv("LISTEN_FDNAMES"));
		g_assert_cmpint(systemd_listen_fds(), ==, 0);
	}
	g_assert_cmpint(fcntl(SYSTEMD_LISTEN_FD, F_GETFD), ==, FD_CLOEXEC);
	g_assert_cmpint(fcntl(SYSTEMD_LISTEN_FD + 1, F_GETFD), ==, FD_CLOEXEC);
}

static void watchdog(void)
{
	static const struct {
		const char *limit, *pid;
		uint64_t expected;
	} cases[] = {
		{ NULL, NULL, 0 },
		{ NULL, own, 0 },
		{ "5", NULL, 5 },
		{ "5", own, 5 },
		{ "5", OTHER, 0 },
		{ "5", "", 0 },
		{ "5", "x", 0 },
		{ "", own, 0 },
		{ "x", own, 0 },
		{ "0", own, 0 },
		{ "-5", own, 0 },
		{ "600000000000", own, UINT64_C(600000000000) },
		{ "18446744073709551615", own, 0 }, /* infinity */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_test_message("case %zu", i);
		set("WATCHDOG_USEC", cases[i].limit);
		set("WATCHDOG_PID", cases[i].pid);
		g_assert_cmpuint(systemd_watchdog_us(), ==, cases[i].expected);
	}
}

static bool is_listening(int family, int type, bool listens)
{
	struct sockaddr address = { .sa_family = (sa_family_t)family };
	autofd fd = socket(family, type | SOCK_CLOEXEC, 0);

	g_assert_no_errno(fd);
	if (listens) {
		/* The kernel chooses the address. */
		g_assert_no_errno(bind(fd, &address,
				       family == AF_UNIX ? sizeof(sa_family_t)
							 : sizeof(address)));
		g_assert_no_errno(listen(fd, 1));
	}
	return systemd_is_listening(fd);
}

static void test_is_listening(void)
{
	g_assert_true(is_listening(AF_UNIX, SOCK_STREAM, true));
	g_assert_false(is_listening(AF_UNIX, SOCK_STREAM, false));
	g_assert_false(is_listening(AF_UNIX, SOCK_SEQPACKET, true));
	g_assert_false(is_listening(AF_UNIX, SOCK_DGRAM, false));
	g_assert_false(is_listening(AF_INET, SOCK_STREAM, true));
	g_assert_false(systemd_is_listening(STDIN_FILENO));
	g_assert_false(systemd_is_listening(-1));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_snprintf(own, sizeof(own), "%d", (int)getpid());
	g_test_add_data_func("/systemd/listen-fds", listen_fds, in_child);
	g_test_add_data_func("/systemd/watchdog", watchdog, in_child);
	g_test_add_func("/systemd/is-listening", test_is_listening);
	return g_test_run();
}
