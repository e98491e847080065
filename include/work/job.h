/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One command on its way through a thread: executed, replied to, and left for
 * the main loop; or, where the thread may stay with the client, followed by
 * the client's next command. Worker's own; others know a job as a handle.
 *
 *              +------------------ push back ------------------+
 *              v                                               |
 *   queued --> executing --> reply sent --> listening -- next command
 *                                |              |
 *                                v              v nothing came
 *                              finished: in the mailbox
 *
 * The mailbox's lock says who has the client: a thread writes to it while it
 * holds the lock, and reads from it while the job is listening; the main loop
 * takes the client away under the lock, from a job that is not.
 */
#ifndef JOB_H
#define JOB_H

#include "device/command.h"
#include "threads/lanes.h"
#include "work/mailbox.h"

/* Threads of all devices together; one device may occupy as many as its back
 * end says. A command for a further device is refused at the ceiling. */
#define JOB_THREADS_MAX 1024

/* What all jobs share. */
typedef struct JobHost {
	Lanes *lanes;
	int64_t timeout; /* from arrival to deadline, microseconds */
	bool (*is_urgent)(const Command *command); /* see WorkerEvents */
	Command *(*next)(Command *command);        /* see WorkerEvents */
	Mailbox mailbox;
	bool all_urgent;       /* under the mailbox's lock */
	pthread_cond_t let_go; /* a recalled job is not listening any more */
} JobHost;

typedef struct Job {
	Task task; /* must be first */
	JobHost *host;
	bool stays; /* its threads may listen to the client */

	/* Main loop only: the worker's notes. */
	Connection *connection; /* NULL once it has gone */
	int64_t due;            /* when to look at the deadline */
	GList link;             /* its data is the job */

	/* Under the lock, but for the thread that executes the command. */
	Command *command; /* NULL: listening, or finished without another */
	int64_t deadline;
	int socket;     /* where the reply goes; -1: nowhere (any more) */
	bool urgent;    /* the main loop waits for it */
	bool disowned;  /* nobody waits for it */
	bool listening; /* a thread waits for the client's next command */
	bool recalled;  /* the main loop waits for the end of that */
	bool finished;
	GList letter; /* in the mailbox; its data is the job */
} Job;

/* All that follows: main loop. Takes the command, borrows the socket. */
Job *job_new(JobHost *host, Command *command, int socket, bool stays);

/* Frees the job, not its command: one that has finished, or that no thread has.
 */
void job_free(Job *job);

/* Sends it on its way. False: no thread serves the device. */
bool job_start(Job *job);

/* Answers a command for whose device there is no thread. */
void job_refuse(Command *command);

/* Takes it back before a thread has begun with a command whose deadline is
 * `now` or was before. False: one has, or the command is a later one. */
bool job_cancel(Job *job, int64_t now);

/* Microseconds from `now` to the command's deadline, or to the one that the
 * next command will have; 0 where it has passed. */
int64_t job_time_left(Job *job, int64_t now);

/* The answer is not waited for any more: no thread will send it. False: a
 * thread has sent it, or the command is one with a later deadline than `now`.
 */
bool job_disown(Job *job, int64_t now);

/* Makes the answer urgent. */
void job_hurry(Job *job);
void job_hurry_all(JobHost *host);

/* No thread touches the client from now on. Waits for one that listens, so
 * nothing more may come from the client. */
void job_take_client_away(Job *job);

#endif
