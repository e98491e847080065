/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening DEVICE.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>

#include "exit-status.h"

/* O_NONBLOCK: a drive without a medium can be opened, and no FIFO blocks. */
#define FLAGS (O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static bool is_denied(void)
{
	return errno == EACCES || errno == EPERM || errno == EROFS;
}

int client_device_open(const char *path, bool write, bool *ret_read_only,
		       GError **error)
{
	bool read_only = !write;
	int fd = -1;

	if (write) {
		fd = open(path, O_RDWR | FLAGS);
		read_only = fd < 0 && is_denied();
	}
	if (read_only)
		fd = open(path, O_RDONLY | FLAGS);
	if (fd < 0) {
		g_set_error(error, CLIENT_ERROR, exit_status_of_errno(errno),
			    "%s: cannot open it %s: %s", path,
			    read_only ? "for reading" : "for writing",
			    g_strerror(errno));
		return -1;
	}
	*ret_read_only = read_only;
	return fd;
}
