/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the options mean together. Between options.c, which reads them one by
 * one, and options-check.c; nobody else includes this.
 */
#ifndef CLIENT_OPTIONS_CHECK_H
#define CLIENT_OPTIONS_CHECK_H

#include "options.h"

typedef struct OptionsDraft {
	ClientOptions options;
	bool in, out, has_port;
	guint in_actions, out_actions; /* how many were given */
} OptionsDraft;

/* Settles the command. False with a CLIENT_ERROR where options are missing or
 * contradict each other. */
bool client_options_check(OptionsDraft *draft, GError **error);

#endif
