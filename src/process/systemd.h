/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What systemd has told this process by its environment: sd_listen_fds(3) and
 * sd_watchdog_enabled(3). By libsystemd, or as those pages have it where this
 * is built without (make SYSTEMD=no).
 */
#ifndef PROCESS_SYSTEMD_H
#define PROCESS_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

/* The first descriptor that is passed. */
#define SYSTEMD_LISTEN_FD 3

/* How many descriptors were passed to this process, which are close-on-exec
 * from now on; a negative error number where the variables make no sense. Takes
 * them out of the environment, so a second call returns 0. */
int systemd_listen_fds(void);

/* A Unix stream socket that listens. */
bool systemd_is_listening(int fd);

/* The watchdog's limit in microseconds; 0 where it is not for this process. */
uint64_t systemd_watchdog_us(void);

#endif
