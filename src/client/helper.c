/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel attaches the sender to each message of a socket that asks for it
 * (SO_PASSCRED), so the helper has to do nothing for it, and cannot lie.
 * SO_PEERCRED would name who called listen(): systemd, or with -d a process
 * that has ended.
 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/unix-socket.h"

/* Not getpwuid(): that one may ask a server which hangs like the helper. */
static char *user_name(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry;
	char *name = NULL;

	if (!file)
		return NULL;
	while (!name && (entry = fgetpwent(file)))
		if (entry->pw_uid == uid)
			name = g_strdup(entry->pw_name);
	fclose(file);
	return name;
}

static int open_process(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What /proc lets everybody read, or NULL. */
static char *command_name(int process)
{
	char name[64];
	autofd comm = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t size = comm < 0 ? -1 : read(comm, name, sizeof(name));

	return size <= 0 ? NULL : g_strchomp(g_strndup(name, (gsize)size));
}

/* The path, where we may read it. */
static char *program_name(int process)
{
	char path[4096];
	ssize_t size = readlinkat(process, "exe", path, sizeof(path));

	return size > 0 ? g_strndup(path, (gsize)size) : command_name(process);
}

/* /proc/PID/exe is the program that runs, also if its file was replaced. */
static void read_version(int process, HelperIdentity *helper)
{
	autofd exe = openat(process, "exe", O_RDONLY | O_CLOEXEC);

	if (exe < 0 || !helper_version_read(exe, &helper->version)) {
		helper->reason =
			g_strdup_printf("cannot read /proc/%d/exe: %s",
					(int)helper->pid, g_strerror(errno));
		return;
	}
	helper->kind = helper->version ? HELPER_OWN : HELPER_OTHER;
}

/* A PID may be another's as soon as a process has ended; while the connection
 * is open it has not, and `process` was opened before. */
static bool is_connected(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static void look_at_process(const ClientConnection *connection,
			    HelperIdentity *helper)
{
	autofd process = open_process(helper->pid);

	if (process < 0) {
		helper->reason =
			g_strdup_printf("cannot open /proc/%d: %s",
					(int)helper->pid, g_strerror(errno));
		return;
	}
	if (!is_connected(connection->fd)) {
		helper->reason = g_strdup("it has closed the connection");
		return;
	}
	helper->program = program_name(process);
	read_version(process, helper);
}

void helper_identify(const ClientConnection *connection,
		     HelperIdentity *ret_helper)
{
	*ret_helper = (HelperIdentity) {
		.pid = connection->helper_pid,
		.uid = connection->helper_uid,
		.user = user_name(connection->helper_uid),
	};
	if (ret_helper->pid > 0)
		look_at_process(connection, ret_helper);
	else
		ret_helper->reason =
			g_strdup("its process is outside of this container "
				 "(PID namespace)");
}

void helper_deinit(HelperIdentity *helper)
{
	g_clear_pointer(&helper->user, g_free);
	g_clear_pointer(&helper->program, g_free);
	g_clear_pointer(&helper->version, g_free);
	g_clear_pointer(&helper->reason, g_free);
}

/* Here SO_PEERCRED is right: who called listen(). */
HelperManager helper_manager(const ClientConnection *connection)
{
	struct ucred listener;
	g_autofree char *name = NULL;
	autofd process = -1;

	if (!unix_socket_peer(connection->fd, &listener) || listener.pid <= 0)
		return HELPER_MANAGER_NONE;
	process = open_process(listener.pid);
	name = process < 0 ? NULL : command_name(process);
	if (g_strcmp0(name, "systemd") != 0)
		return HELPER_MANAGER_NONE;
	return listener.pid == 1 ? HELPER_MANAGER_SYSTEM : HELPER_MANAGER_USER;
}
