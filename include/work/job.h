/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One command on its way through a thread: executed, replied to, and left for
 * the main loop; or, if its client is active, followed by the client's next
 * command. Worker's own; others know a job as a handle.
 *
 *              +----------------- the next command -----------------+
 *              v                                                    |
 *   queued --> executing --> reply sent --> in the active set --> receiving
 *                                |                  |               |
 *                                v                  v silence       v not plain
 *                              finished: in the mailbox
 *
 * The mailbox's lock says who has the client: a thread writes to it while it
 * holds the lock, and reads from it while the job is receiving; the main loop
 * takes the client away under the lock, from a job that is not.
 */
#ifndef JOB_H
#define JOB_H

#include "conversation/channel.h"
#include "device/command.h"
#include "threads/thread-pool.h"
#include "work/active-set.h"
#include "work/mailbox.h"

/* Threads of all devices together; one device may occupy as many as its back
 * end says. A command for a further device is refused at the ceiling. */
#define JOB_THREADS_MAX 1024

/* Threads that read from clients at a time: each may receive as many
 * descriptors as one message brings, and there must be room for them. */
#define JOB_RECEIVERS 4

/* What all jobs share. */
typedef struct JobHost {
	ThreadPool *pool;
	int64_t timeout_us; /* from arrival to deadline, microseconds */
	bool (*is_urgent)(const Command *command); /* see WorkerEvents */
	ChannelNews (*next)(Connection *connection, Command *answered,
			    bool wait, Command **ret_command); /* the same */
	Mailbox mailbox;

	/* Under the mailbox's lock. */
	ActiveSets active;
	unsigned int receiving;     /* jobs; at most receivers_max */
	unsigned int receivers_max; /* set before the first job */
	bool all_urgent;
	pthread_cond_t unused; /* a thread has let go of a client's socket */
	unsigned int waiters;  /* for that */
} JobHost;

typedef struct Job {
	Task task;
	JobHost *host;
	bool stays; /* its client is active */

	Connection *connection; /* NULL once it has gone; the main loop's, and
				   that of the thread that receives */
	/* Main loop only: the worker's notes. */
	int64_t due_us; /* when to look at the deadline */
	GList link;     /* its data is the job */

	/* Under the lock, but for the thread that executes the command. */
	Command *command; /* NULL: a thread reads the next one, or has read none
			   */
	int64_t deadline_us;
	int socket;    /* where the reply goes; -1: nowhere (any more) */
	bool urgent;   /* the main loop waits for it */
	bool disowned; /* nobody waits for it */
	ActiveMember active;
	bool receiving; /* a thread reads from the client */
	bool used;      /* a thread reads from its socket, or writes to it */
	bool recalled;  /* the main loop has the client */
	bool finished;
	GList letter; /* in the mailbox; its data is the job */
} Job;

void job_host_init(JobHost *host, ThreadPool *pool, int64_t timeout_us);

/* To be called at intervals: the main loop gets the active clients of devices
 * all of whose threads have been busy for a whole interval, and those that have
 * been in their set since then, whether they are silent or the threads only get
 * to others. */
void job_give_back_unattended(JobHost *host, int64_t since);

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

/* No thread touches the client from now on. True: none has the job, and its
 * command, if it has one, is answered and the reply sent. Waits for one that
 * reads from it now: a moment, if nothing more can come from the client. */
bool job_take_client_away(Job *job);

#endif
