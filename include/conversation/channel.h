/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's socket and the session on it: moves the bytes and descriptors
 * that the session wants. Whoever has the connection at the time uses it, the
 * main loop or a thread.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "conversation/session.h"
#include "threads/thread-pool.h"

/* How long channel_receive() waits, in microseconds: much longer than QEMU
 * takes to send the next of several commands, much shorter than anybody waits
 * for the daemon's end. */
#define CHANNEL_PATIENCE_US ((int64_t)10 * 1000)

typedef struct Channel {
	int socket;       /* a blocking one; owned by who has the channel */
	ThreadPool *pool; /* borrowed, for the closer */
	Session session;
	Peer peer;
	bool proven; /* a device has answered the last command, and nothing
			else that the client sent had to be closed */
} Channel;

/* The session begins. */
void channel_init(Channel *channel, int socket, ThreadPool *pool);

/* Reads once, no more than the session wants. Without MSG_DONTWAIT in `flags`
 * it waits for CHANNEL_PATIENCE_US. False: nothing has come. */
bool channel_receive(Channel *channel, uint8_t *bytes, size_t size, int flags);

/* Writes what it can without waiting. False: the socket is full. */
bool channel_transmit(Channel *channel, const uint8_t *bytes, size_t size);

/* Takes the complete command from the session: it arrives now. */
Command *channel_take_command(Channel *channel);

typedef enum ChannelNews {
	CHANNEL_COMMAND, /* *ret_command is the client's next one */
	CHANNEL_SILENCE, /* nothing more has come yet */
	CHANNEL_OTHER,   /* what has come is not plain, or took too long: it is
			    left where it is, for the main loop */
} ChannelNews;

/* On a thread: reads the client's next command, with its back end selected.
 * Takes the command before it, whose reply is sent, or NULL. Without `wait` it
 * does not wait for bytes; with it, for CHANNEL_PATIENCE_US. */
ChannelNews channel_next(Channel *channel, Command *answered, bool wait,
			 Command **ret_command);

/* Each byte that the client sends fails from now on, and it knows that; what
 * it has sent before is still read, up to the end. */
void channel_shut_out(Channel *channel);

#endif
