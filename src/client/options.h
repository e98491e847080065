/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's command line: letters and names are sg_persist's wherever it
 * has the option too.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "scsi/scsi.h"

typedef enum ClientAction {
	CLIENT_ACTION_COMMAND,
	CLIENT_ACTION_PING,
	CLIENT_ACTION_HELP,
	CLIENT_ACTION_VERSION,
} ClientAction;

typedef struct ClientOptions {
	ClientAction action;
	const char *socket;
	const char *device;           /* NULL unless action is COMMAND */
	guint timeout;                /* seconds, for the whole exchange */
	guint hex, verbose, readonly; /* how often each was given */
	bool json;

	uint8_t opcode, service_action;
	uint16_t allocation_length; /* IN, at most WIRE_DATA_MAX */
	/* OUT. spec_i_pt stays false: it follows from the TransportIDs. */
	uint8_t type;
	bool has_type;
	ScsiPrParameters parameters;
	uint16_t relative_target_port;
	GPtrArray *transport_ids; /* arguments, not yet looked into */

	GStrv arguments; /* owned; what the strings above point into */
} ClientOptions;

/* On success the caller owns *ret_options and has to deinit it. False with a
 * CLIENT_ERROR, SYNTAX or CONTRADICTION. Not reentrant: getopt_long(). */
bool client_options_parse(int argc, char *const *argv,
			  ClientOptions *ret_options, GError **error);
void client_options_deinit(ClientOptions *options);

/* The text that --help prints. Static. */
const char *client_options_help(void);

#endif
