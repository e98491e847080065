/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CDB and the parameter list (SPC-4 6.15.1, 6.16.2 to 6.16.4) that the
 * options ask for. Pure.
 */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "scsi/wire.h"
#include "transport-list.h"

typedef struct ClientRequest {
	uint8_t cdb[WIRE_CDB_SIZE];
	GByteArray *parameters; /* owned; NULL for IN */
} ClientRequest;

/* On success the caller owns *ret_request and has to deinit it. False with a
 * CLIENT_ERROR where the parameter list would be longer than WIRE_DATA_MAX, or
 * REGISTER AND MOVE has not exactly one TransportID. */
bool client_request_init(ClientRequest *ret_request,
			 const ClientOptions *options,
			 const TransportList *transport_ids, GError **error);
void client_request_deinit(ClientRequest *request);

#endif
