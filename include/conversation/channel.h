/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's socket and the session on it: moves the bytes and descriptors
 * that the session wants. Whoever has the connection at the time uses it, the
 * main loop or a thread.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "conversation/session.h"
#include "threads/lanes.h"

/* How long channel_receive() waits, in microseconds: much longer than QEMU
 * takes to send the next of several commands, much shorter than anybody waits
 * for the daemon's end. */
#define CHANNEL_PATIENCE ((int64_t)10 * 1000)

typedef struct Channel {
	int socket;   /* a blocking one; owned by who has the channel */
	Lanes *lanes; /* borrowed, for disposal */
	Session session;
	Peer peer;
	bool proven; /* a device has answered the last command, and nothing
			else that the client sent had to be closed */
} Channel;

/* The session begins. */
void channel_init(Channel *channel, int socket, Lanes *lanes);

/* Reads once, no more than the session wants. Without MSG_DONTWAIT in `flags`
 * it waits for CHANNEL_PATIENCE. False: nothing has come. */
bool channel_receive(Channel *channel, uint8_t *bytes, size_t size, int flags);

/* Writes what it can without waiting. False: the socket is full. */
bool channel_transmit(Channel *channel, const uint8_t *bytes, size_t size);

/* Takes the complete command from the session: it arrives now. */
Command *channel_take_command(Channel *channel);

/* On a thread: takes the command, which is answered and replied to, and waits
 * for the next. NULL where none comes within the time, or one that is not
 * plain and whole: that is left to the main loop, where it is. */
Command *channel_next(Channel *channel, Command *command);

/* Each byte that the client sends fails from now on, and it knows that; what
 * it has sent before is still read, up to the end. */
void channel_shut_out(Channel *channel);

#endif
