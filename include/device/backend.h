/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who executes a command: a static table of back ends. The first one that
 * claims the descriptor gets it; what nobody claims is answered here.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "device/command.h"
#include "device/device.h"

struct Backend {
	const char *name;

	/* What it cannot do without: bit N is capability N. */
	uint64_t capabilities;

	/* Commands that may execute at a time on one device. */
	unsigned int threads;

	/* Any thread: must not block. Decides from what statx() says of the
	 * descriptor. Where it claims it, *ret_queue_key becomes the key
	 * under which this device's commands queue. */
	bool (*claims)(const struct statx *status, uint64_t *ret_queue_key);

	/* Worker thread: may block. Answers the command, always, with
	 * command_answer() or command_refuse(). `deadline_us` is the moment
	 * (g_get_monotonic_time(), microseconds) after which nobody waits for
	 * the answer any more. */
	void (*execute)(Command *command, int64_t deadline_us);
};

extern const Backend backend_raw;
extern const Backend backend_multipath;

/* Answers a command for a device of this kind, which the back end that claimed
 * it does not serve. */
void backend_refuse_kind(Command *command, DeviceKind kind);

/* What all back ends need together. */
uint64_t backend_capabilities(void);

/* Finds the command's back end. False: the descriptor is no device that a
 * reservation could be made on, and the command has been answered. Any
 * thread; never blocks, whatever the descriptor is. */
bool backend_select(Command *command);

#endif
