/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One fork, a new session, and a pipe through which the parent hears a single
 * byte or the end.
 */
#include "process/daemonize.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

static _Noreturn void wait_for_child(pid_t child, int pipe_end)
{
	char byte;
	int status;

	if (TEMP_FAILURE_RETRY(read(pipe_end, &byte, 1)) == 1)
		_exit(EXIT_SUCCESS);
	if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) == child &&
	    WIFEXITED(status) && WEXITSTATUS(status) != EXIT_SUCCESS)
		_exit(WEXITSTATUS(status));
	_exit(EXIT_FAILURE);
}

bool daemonize(int *ret_parent, GError **error)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		error_set_errno(error, "cannot create a pipe");
		return false;
	}
	child = fork();
	if (child < 0) {
		error_set_errno(error, "cannot fork");
		return false;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for_child(child, ends[0]);
	}
	close(ends[0]);
	*ret_parent = ends[1];
	setsid();
	/* No file system is kept busy; all paths are absolute by now. */
	if (chdir("/") < 0) {
		error_set_errno(error, "cannot enter /");
		return false;
	}
	return true;
}

void daemonize_ready(int *parent)
{
	autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (*parent < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	(void)!write(*parent, "", 1);
	fd_clear(parent);
}
