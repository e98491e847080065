/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands on their way to a device and back: queued per device, executed on
 * a thread, answered on the main loop, each by its deadline. Everything here
 * is called on the main loop.
 *
 *   submit --> queued --> executing --> answered
 *                |            |
 *                |            deadline: a substitute is answered with
 *                |            "outcome unknown"; the command itself is
 *                |            disowned and reported when it comes back
 *                deadline: answered with "not sent"
 */
#ifndef WORKER_H
#define WORKER_H

#include "command.h"
#include "lanes.h"
#include "poller.h"

/* Threads that one device may occupy, and all of them together. A command for
 * a further device is refused at the ceiling. */
#define WORKER_THREADS_PER_DEVICE 4
#define WORKER_THREADS_MAX        1024

typedef struct Worker Worker;

typedef struct WorkerEvents {
	/* The command is answered; takes it. command->connection is where the
	 * answer goes, or NULL where the client has gone. */
	void (*answered)(Command *command, void *data);
	/* A disowned command came back from the kernel after its deadline,
	 * with an answer that nobody gets. Borrows it. */
	void (*returned_late)(Command *command, void *data);
	void *data;
} WorkerEvents;

/* Borrows the others, which have to outlive it. `timeout`: from a command's
 * arrival to its deadline, in microseconds. NULL with *error set on failure.
 */
Worker *worker_new(Poller *poller, Lanes *lanes, int64_t timeout,
		   const WorkerEvents *events, GError **error);

/* Commands that still execute are left to their fate. Accepts NULL. */
void worker_free(Worker *worker);

/* Takes the command, whose back end is selected. False: no thread could be had
 * for its device; it is answered, and still the caller's. */
bool worker_submit(Worker *worker, Command *command);

/* The client of a submitted command went away. A queued command is dropped,
 * one that executes goes on without a connection. */
void worker_abandon(Worker *worker, Command *command);

/* Treats all deadlines as passed, at the end of a shutdown's patience. */
void worker_expire_all(Worker *worker);

/* Commands queued or executing, disowned ones not counted. */
unsigned int worker_outstanding(const Worker *worker);

/* Disowned commands that the kernel has not given back. */
unsigned int worker_disowned(const Worker *worker);

#endif
