/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binding in a directory of our own: permissions, what is replaced and what
 * is not, and that nothing stays behind.
 */
#include "process/listen.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "process/systemd.h"
#include "testing.h"

static char *directory, *path;

static void set_up(void)
{
	directory = directory_new();
	path = g_build_filename(directory, "sock", NULL);
}

/* Nothing but what the test knows of may be left. */
static void tear_down(void)
{
	g_assert_no_errno(g_rmdir(directory));
	g_clear_pointer(&path, g_free);
	g_clear_pointer(&directory, g_free);
}

static ListenOptions options_of(const char *name)
{
	return (ListenOptions) { .path = name,
				 .mode = (mode_t)-1,
				 .owner = (uid_t)-1,
				 .group = (gid_t)-1 };
}

static ListenSocket bind_with(const ListenOptions *options)
{
	g_autoptr(GError) error = NULL;
	ListenSocket sock;

	g_assert_true(listen_bind(options, &sock, &error));
	g_assert_no_error(error);
	g_assert_cmpint(sock.fd, >=, 0);
	return sock;
}

static ListenSocket bind_path(void)
{
	ListenOptions options = options_of(path);

	return bind_with(&options);
}

static void assert_refused(const char *name, const char *word)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *before = g_get_current_dir();
	g_autofree char *after = NULL;
	unsigned int count = descriptor_count();
	ListenOptions options = options_of(name);
	ListenSocket sock = { .fd = 77 };

	g_assert_false(listen_bind(&options, &sock, &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, word));
	g_assert_cmpint(sock.fd, ==, -1);
	g_assert_cmpuint(descriptor_count(), ==, count);
	after = g_get_current_dir();
	g_assert_cmpstr(after, ==, before);
}

static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_no_errno(fd);
	g_assert_cmpuint(
		g_strlcpy(address.sun_path, name, sizeof(address.sun_path)), <,
		sizeof(address.sun_path));
	g_assert_no_errno(
		connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void end(ListenSocket *sock)
{
	listen_unlink(sock);
	fd_clear(&sock->fd);
}

static struct stat status_of(const char *name)
{
	struct stat status;

	g_assert_no_errno(lstat(name, &status));
	return status;
}

static void test_bind(void)
{
	g_autofree char *before = g_get_current_dir();
	g_autofree char *after = NULL;
	ListenSocket sock;
	int client;

	set_up();
	sock = bind_path();
	g_assert_true(systemd_is_listening(sock.fd));
	g_assert_cmpint(fcntl(sock.fd, F_GETFL) & O_NONBLOCK, !=, 0);
	g_assert_cmpint(fcntl(sock.fd, F_GETFD) & FD_CLOEXEC, !=, 0);
	client = connect_to(path);
	close(client);
	after = g_get_current_dir();
	g_assert_cmpstr(after, ==, before);
	end(&sock);
	tear_down();
}

/* A burst of connects before the first accept. */
static void test_backlog(void)
{
	int clients[100];
	ListenSocket sock;

	set_up();
	sock = bind_path();
	for (size_t i = 0; i < G_N_ELEMENTS(clients); i++)
		clients[i] = connect_to(path);
	for (size_t i = 0; i < G_N_ELEMENTS(clients); i++)
		close(clients[i]);
	end(&sock);
	tear_down();
}

static void test_mode(void)
{
	static const mode_t modes[] = { 0600, 0660, 0777, 0 };
	mode_t old = umask(027);
	ListenSocket sock;

	set_up();
	sock = bind_path();
	g_assert_cmphex(status_of(path).st_mode & 07777, ==, 0750);
	end(&sock);
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		ListenOptions options = options_of(path);

		options.mode = modes[i];
		sock = bind_with(&options);
		g_assert_cmphex(status_of(path).st_mode & 07777, ==, modes[i]);
		end(&sock);
	}
	tear_down();
	umask(old);
}

static void test_owner(void)
{
	ListenOptions options;
	ListenSocket sock;

	if (geteuid() != 0) {
		g_test_skip("only root can give a file away");
		return;
	}
	set_up();
	options = options_of(path);
	options.owner = 4711;
	options.group = 4712;
	sock = bind_with(&options);
	g_assert_cmpuint(status_of(path).st_uid, ==, 4711);
	g_assert_cmpuint(status_of(path).st_gid, ==, 4712);
	end(&sock);
	tear_down();
}

static void test_stale(void)
{
	ListenSocket first, second;
	int client;

	set_up();
	first = bind_path();
	fd_clear(&first.fd);
	second = bind_path();
	client = connect_to(path);
	close(client);
	/* The first one's end must not take the second one's name away. */
	listen_unlink(&first);
	g_assert_true(S_ISSOCK(status_of(path).st_mode));
	end(&second);
	tear_down();
}

static void test_live(void)
{
	ListenSocket sock;
	ino_t before;

	set_up();
	sock = bind_path();
	before = status_of(path).st_ino;
	assert_refused(path, "another process serves");
	g_assert_cmpuint(status_of(path).st_ino, ==, before);
	close(connect_to(path));
	end(&sock);
	tear_down();
}

static void test_other_files(void)
{
	g_autofree char *text = NULL;

	set_up();
	file_write(path, "precious");
	assert_refused(path, "not a socket");
	text = file_read(path);
	g_assert_cmpstr(text, ==, "precious");
	g_assert_no_errno(unlink(path));

	g_assert_no_errno(mkdir(path, 0700));
	assert_refused(path, "not a socket");
	g_assert_no_errno(rmdir(path));

	g_assert_no_errno(symlink("nowhere", path));
	assert_refused(path, "not a socket");
	g_assert_no_errno(unlink(path));
	tear_down();
}

static void test_no_directory(void)
{
	g_autofree char *name = NULL;

	set_up();
	name = g_build_filename(directory, "none", "sock", NULL);
	assert_refused(name, directory);
	tear_down();
}

/* The longest path that clients can connect to, and one byte more. */
static void test_long_path(void)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	g_autofree char *fill = NULL;
	g_autofree char *longer = NULL;
	ListenSocket sock;

	set_up();
	fill = g_strnfill(most - strlen(directory) - 1, 'x');
	g_free(path);
	path = g_build_filename(directory, fill, NULL);
	g_assert_cmpuint(strlen(path), ==, most);
	sock = bind_path();
	close(connect_to(path));
	end(&sock);
	longer = g_strconcat(path, "y", NULL);
	assert_refused(longer, "longer");
	tear_down();
}

static void test_unlink_not_ours(void)
{
	ListenSocket sock;

	set_up();
	sock = bind_path();
	g_assert_no_errno(unlink(path));
	file_write(path, "another one's");
	end(&sock);
	g_assert_true(S_ISREG(status_of(path).st_mode));
	g_assert_no_errno(unlink(path));
	tear_down();
}

static void test_unlink_gone(void)
{
	ListenSocket sock, none = { .fd = -1 };

	set_up();
	sock = bind_path();
	g_assert_no_errno(unlink(path));
	end(&sock);
	listen_unlink(&none);
	tear_down();
}

/* Left by one that was killed: its lock is gone, but the file is not. */
static void test_left_lock(void)
{
	g_autofree char *lock = NULL;
	ListenSocket sock;

	set_up();
	lock = g_build_filename(directory, ".sock.lock", NULL);
	file_write(lock, "");
	sock = bind_path();
	end(&sock);
	tear_down();
}

static ListenSocket activated(bool expected, const char *word)
{
	g_autoptr(GError) error = NULL;
	ListenSocket sock = { .fd = 77 };

	g_assert_true(listen_activated(&sock, &error) == expected);
	if (expected)
		g_assert_no_error(error);
	else
		g_assert_nonnull(strstr(error->message, word));
	return sock;
}

static void set_passed(const char *count)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());

	g_setenv("LISTEN_PID", pid, TRUE);
	g_setenv("LISTEN_FDS", count, TRUE);
}

static void test_activated_none(void)
{
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_PID");
	g_assert_cmpint(activated(true, NULL).fd, ==, -1);
	/* Meant for another process. */
	set_passed("1");
	g_setenv("LISTEN_PID", "1", TRUE);
	g_assert_cmpint(activated(true, NULL).fd, ==, -1);
}

/* Descriptor 3 is the one that systemd passes; children have it free. */
static void activate(int fd, const char *count, bool expected, const char *word)
{
	ListenSocket sock;

	g_assert_cmpint(dup2(fd, SYSTEMD_LISTEN_FD), ==, SYSTEMD_LISTEN_FD);
	set_passed(count);
	sock = activated(expected, word);
	if (!expected)
		return;
	g_assert_cmpint(sock.fd, ==, SYSTEMD_LISTEN_FD);
	g_assert_null(sock.path);
	g_assert_cmpint(fcntl(sock.fd, F_GETFL) & O_NONBLOCK, !=, 0);
	g_assert_null(g_getenv("LISTEN_FDS"));
	listen_unlink(&sock);
}

static int unix_socket(int type)
{
	int fd = socket(AF_UNIX, type, 0);

	g_assert_no_errno(fd);
	return fd;
}

static void activate_with_socket(void)
{
	int fd;

	set_up();
	fd = unix_socket(SOCK_STREAM);
	g_assert_no_errno(bind(fd,
			       (struct sockaddr *)&(struct sockaddr_un) {
				       .sun_family = AF_UNIX },
			       sizeof(sa_family_t)));
	g_assert_no_errno(listen(fd, 1));
	activate(fd, "1", true, NULL);
	g_assert_no_errno(dup2(fd, SYSTEMD_LISTEN_FD + 1));
	activate(fd, "2", false, "2 sockets, but exactly one");
	activate(fd, "1000", false, "LISTEN_FDS");
	tear_down();
}

static void activate_with_wrong_socket(void)
{
	int ends[2];

	g_assert_no_errno(pipe(ends));
	activate(unix_socket(SOCK_STREAM), "1", false, "not a listening");
	activate(unix_socket(SOCK_DGRAM), "1", false, "not a listening");
	activate(ends[0], "1", false, "not a listening");
	activate(ends[0], "nonsense", false, "LISTEN_FDS");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/listen/bind", test_bind);
	g_test_add_func("/listen/backlog", test_backlog);
	g_test_add_func("/listen/mode", test_mode);
	g_test_add_func("/listen/owner", test_owner);
	g_test_add_func("/listen/existing/stale", test_stale);
	g_test_add_func("/listen/existing/live", test_live);
	g_test_add_func("/listen/existing/other-files", test_other_files);
	g_test_add_func("/listen/existing/left-lock", test_left_lock);
	g_test_add_func("/listen/no-directory", test_no_directory);
	g_test_add_func("/listen/long-path", test_long_path);
	g_test_add_func("/listen/unlink/not-ours", test_unlink_not_ours);
	g_test_add_func("/listen/unlink/gone", test_unlink_gone);
	g_test_add_func("/listen/activated/none", test_activated_none);
	g_test_add_data_func("/listen/activated/socket", activate_with_socket,
			     in_child);
	g_test_add_data_func("/listen/activated/wrong",
			     activate_with_wrong_socket, in_child);
	return g_test_run();
}
