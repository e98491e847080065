/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service manager hears: the test binds its socket. Each test is a
 * process of its own, as timers of notify.c stay for good.
 */
#include "process/notify.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "testing.h"

static int manager;
static char *directory;

static void set_up(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	directory = directory_new();
	g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify",
		   directory);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	g_assert_no_errno(manager);
	g_assert_no_errno(
		bind(manager, (struct sockaddr *)&address, sizeof(address)));
	g_setenv("NOTIFY_SOCKET", address.sun_path, TRUE);
}

/* The next message, or NULL; turns the main loop until there is one. */
static char *hear(bool wait)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(manager, text, sizeof(text), 0)) < 0 && wait)
		g_main_context_iteration(NULL, TRUE);
	return n < 0 ? NULL : g_strndup(text, (gsize)n);
}

static void assert_hears(const char *expected)
{
	g_autofree char *text = hear(true);

	g_assert_cmpstr(text, ==, expected);
}

static void ready(void)
{
	set_up();
	notify_ready();
	assert_hears("READY=1\nSTATUS=Serving.");
	g_assert_null(hear(false));
	g_assert_false(g_main_context_pending(NULL));
	directory_remove(directory);
}

/* At least twice in the time that the unit allows, again and again. */
static void watchdog(void)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
	gint64 since;

	set_up();
	g_setenv("WATCHDOG_USEC", "600000", TRUE);
	g_setenv("WATCHDOG_PID", pid, TRUE);
	notify_ready();
	assert_hears("READY=1\nSTATUS=Serving.");
	since = g_get_monotonic_time();
	for (int i = 0; i < 3; i++)
		assert_hears("WATCHDOG=1");
	g_assert_cmpint(g_get_monotonic_time() - since, >=, 3 * 290000);
	directory_remove(directory);
}

/* The variables are those of whoever started us. */
static void other_watchdog(void)
{
	set_up();
	g_setenv("WATCHDOG_USEC", "1000", TRUE);
	g_setenv("WATCHDOG_PID", "1", TRUE);
	notify_ready();
	assert_hears("READY=1\nSTATUS=Serving.");
	g_usleep(10000);
	g_assert_false(g_main_context_pending(NULL));
	directory_remove(directory);
}

static void stopping(void)
{
	set_up();
	notify_stopping();
	assert_hears("STOPPING=1\nSTATUS=Answering what clients have sent.\n"
		     "EXTEND_TIMEOUT_USEC=2500000");
	for (int i = 0; i < 2; i++)
		assert_hears("EXTEND_TIMEOUT_USEC=2500000");
	directory_remove(directory);
}

static void fill(void)
{
	struct sockaddr_un address;
	socklen_t size = sizeof(address);
	int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	g_assert_no_errno(
		getsockname(manager, (struct sockaddr *)&address, &size));
	while (sendto(other, "x", 1, 0, (struct sockaddr *)&address, size) == 1)
		;
	g_assert_cmpint(errno, ==, EAGAIN);
	close(other);
}

static void drain(void)
{
	char byte;

	while (recv(manager, &byte, 1, 0) == 1)
		g_assert_cmpint(byte, ==, 'x');
}

/* Nobody waits for a manager that does not read; it hears READY once it does.
 */
static void stuck(void)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());

	set_up();
	g_setenv("WATCHDOG_USEC", "100000", TRUE);
	g_setenv("WATCHDOG_PID", pid, TRUE);
	fill();
	alarm(20);
	notify_ready();
	for (int i = 0; i < 5; i++)
		g_main_context_iteration(NULL, TRUE);
	drain();
	for (;;) {
		g_autofree char *text = hear(true);

		if (strcmp(text, "READY=1\nSTATUS=Serving.") == 0)
			break;
		g_assert_cmpstr(text, ==, "WATCHDOG=1");
	}
	fill();
	notify_stopping();
	directory_remove(directory);
}

static void abstract(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	g_autofree char *name = g_strdup_printf("@notify-%d", (int)getpid());

	set_up();
	close(manager);
	g_strlcpy(address.sun_path + 1, name + 1, sizeof(address.sun_path) - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	g_assert_no_errno(
		bind(manager, (struct sockaddr *)&address,
		     (socklen_t)(sizeof(sa_family_t) + strlen(name))));
	g_setenv("NOTIFY_SOCKET", name, TRUE);
	notify_ready();
	assert_hears("READY=1\nSTATUS=Serving.");
	directory_remove(directory);
}

static void nobody(void)
{
	g_unsetenv("NOTIFY_SOCKET");
	notify_ready();
	notify_stopping();
	g_setenv("NOTIFY_SOCKET", "/nonexistent/notify", TRUE);
	notify_ready();
	g_setenv("NOTIFY_SOCKET", "vsock:2:1", TRUE);
	notify_ready();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/notify/ready", ready, in_child);
	g_test_add_data_func("/notify/watchdog", watchdog, in_child);
	g_test_add_data_func("/notify/other-watchdog", other_watchdog,
			     in_child);
	g_test_add_data_func("/notify/stopping", stopping, in_child);
	g_test_add_data_func("/notify/stuck", stuck, in_child);
	g_test_add_data_func("/notify/abstract", abstract, in_child);
	g_test_add_data_func("/notify/nobody", nobody, in_child);
	return g_test_run();
}
