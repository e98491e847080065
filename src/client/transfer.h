/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact runs of bytes, within the connection's deadline; and what it means to
 * the user where that fails. For connection.c only.
 */
#ifndef CLIENT_TRANSFER_H
#define CLIENT_TRANSFER_H

#include <sys/socket.h>

#include "connection.h"
#include "exit-status.h"

/* How far the conversation is: it decides what a failure means. */
typedef enum TransferStage {
	STAGE_HANDSHAKE,
	STAGE_SENDING,
	STAGE_REPLY,
} TransferStage;

/* All return false, with a CLIENT_ERROR that begins with the socket's path. */
bool transfer_fail(const ClientConnection *connection, ExitStatus status,
		   GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);
bool transfer_fail_timeout(const ClientConnection *connection,
			   TransferStage stage, GError **error);

/* Microseconds until the deadline, at least 0. */
gint64 transfer_time_left(const ClientConnection *connection);

/* All of the bytes, or false. Descriptors that come along are dropped. */
bool transfer_receive(const ClientConnection *connection, void *buffer,
		      size_t size, TransferStage stage, GError **error);

/* Waits for bytes and leaves them; who sent them goes to *ret_sender, {0, -1,
 * -1} where the kernel does not say. The socket has SO_PASSCRED. */
bool transfer_receive_sender(const ClientConnection *connection,
			     TransferStage stage, struct ucred *ret_sender,
			     GError **error);

/* The first bytes carry the descriptor `device`, if there is one (>= 0). */
bool transfer_send(const ClientConnection *connection, const void *buffer,
		   size_t size, int device, TransferStage stage,
		   GError **error);

#endif
