/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's end of the socket: one command at a time, with a deadline for
 * everything together. Nothing that the helper sends is believed: an answer
 * that the protocol does not allow is an error, never data.
 */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "scsi/wire.h"

typedef struct ClientConnection {
	int fd;
	const char *path; /* borrowed */
	/* Who greeted us, by the kernel's word; as helper.h has it. */
	pid_t helper_pid;
	uid_t helper_uid;
	gint64 deadline; /* g_get_monotonic_time() */
} ClientConnection;

typedef struct ClientReply {
	WireReply header;
	uint8_t payload[WIRE_DATA_MAX]; /* header.size bytes of it */
} ClientReply;

/* Connects and does the handshake. `path` has to fit in a sockaddr_un and to
 * outlive the connection. False with a CLIENT_ERROR: FILE where no helper
 * answers at this path, MALFORMED where something else does, TIMEOUT. */
bool client_connection_open(ClientConnection *ret_connection, const char *path,
			    guint seconds, GError **error);
void client_connection_close(ClientConnection *connection);

/* Sends the command with the device's descriptor (borrowed), and its
 * parameter list if it is PERSISTENT RESERVE OUT; receives the reply. False
 * with a CLIENT_ERROR: TIMEOUT, MALFORMED, or OTHER where the connection was
 * lost. After a failure the connection is good for closing only. */
bool client_connection_command(ClientConnection *connection,
			       const uint8_t cdb[WIRE_CDB_SIZE], int device,
			       const GByteArray *parameters,
			       ClientReply *ret_reply, GError **error);

#endif
