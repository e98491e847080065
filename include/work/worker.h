/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands on their way to a device and back: queued per device, executed on
 * a thread, each answered by its deadline. Everything here is called on the
 * main loop.
 *
 *   submit --> queued --> executing --> answered
 *                |  ^         |
 *                |  +----- listening: the thread that has replied waits a
 *                |            |       moment for the client's next command
 *                |            |
 *                |            deadline: a substitute is answered with
 *                |            "outcome unknown"; the command itself is
 *                |            disowned and reported when it comes back
 *                deadline: answered with "not sent"
 */
#ifndef WORKER_H
#define WORKER_H

#include "base/poller.h"
#include "device/command.h"
#include "threads/lanes.h"
#include "work/job.h"

typedef struct Worker Worker;

/*
 * The thread that has the device's answer sends the reply itself, straight to
 * the client, and does not wake the main loop for it: the command comes back
 * with the loop's next turn, at the latest the one in which the client's next
 * request arrives. What the thread could not send (command->sent tells), the
 * connection sends.
 *
 * Where it may stay, the thread then takes the client's next command itself.
 * It stays only after a device's answer that is not urgent, and while no other
 * command waits for the device.
 */
typedef struct WorkerEvents {
	/* On the thread: whether the main loop has to hear of this answer at
	 * once. Pure. */
	bool (*is_urgent)(const Command *command);
	/* On the thread: takes the command, whose reply is sent, and waits a
	 * moment for the client's next one, with its back end selected. NULL:
	 * there is none, or none for a thread to take. */
	Command *(*next)(Command *command);
	/* The command is answered; takes it. command->connection is where the
	 * answer goes, or NULL where the client has gone. */
	void (*answered)(Command *command, void *data);
	/* `next` gave none: the main loop has the client again. */
	void (*fell_silent)(Connection *connection, void *data);
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

/* Takes the command, whose back end is selected; the reply goes to `socket`,
 * which is borrowed until the job ends. `stay`: threads may stay with the
 * client; until the job ends the main loop must not read from it. NULL: no
 * thread could be had for the device; the command is answered, and still the
 * caller's. */
Job *worker_submit(Worker *worker, Command *command, int socket, bool stay);

/* The connection waits for this job to end: its answer is urgent. */
void worker_hurry(Worker *worker, Job *job);

/* From now on every answer is urgent. */
void worker_hurry_all(Worker *worker);

/* The client went away. A queued command is dropped, one that executes goes on
 * without a connection. Waits for a thread that listens to the client: nothing
 * more may come from it, so that this is but a moment. */
void worker_abandon(Worker *worker, Job *job);

/* Treats all deadlines as passed, at the end of a shutdown's patience. */
void worker_expire_all(Worker *worker);

/* Jobs, disowned ones not counted. */
unsigned int worker_outstanding(const Worker *worker);

/* Those among them whose client has gone. */
unsigned int worker_abandoned(const Worker *worker);

/* Those among them whose threads may stay with the client. */
unsigned int worker_staying(const Worker *worker);

/* Whether a job has come after this moment that is still out. */
bool worker_has_young(const Worker *worker, int64_t since);

/* Disowned commands that the kernel has not given back. */
unsigned int worker_disowned(const Worker *worker);

#endif
