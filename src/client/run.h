/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of the client, after the command line: talks to the helper, and
 * writes down what is to be printed. The caller prints.
 */
#ifndef CLIENT_RUN_H
#define CLIENT_RUN_H

#include <glib.h>

#include "exit-status.h"
#include "options.h"

typedef struct ClientOutput {
	GString *out;      /* for standard output */
	GString *messages; /* for standard error; whole lines */
} ClientOutput;

/* options->action is PING or COMMAND. With --json, `out` gets exactly one
 * object, whatever happens. */
ExitStatus client_run(const ClientOptions *options, ClientOutput *output);

#endif
