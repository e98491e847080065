/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line as one constant struct. What it means is decided here:
 * defaults, ranges, users and groups; what it does to the system is not.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/log.h"

typedef struct Options {
	const char *socket_path; /* absolute */
	bool socket_given;       /* by -k */
	mode_t socket_mode;      /* or (mode_t)-1: as the umask has it */
	uid_t socket_owner;      /* or USER_UNCHANGED */
	gid_t socket_group;      /* or USER_UNCHANGED */

	bool daemon;
	char *pidfile; /* absolute; NULL: none */

	uid_t user;  /* or USER_UNCHANGED */
	gid_t group; /* or USER_UNCHANGED */

	LogTarget log_target;
	LogLevel log_level;

	unsigned int max_clients;
	bool max_clients_given;
	gint64 command_timeout_us;

	bool check;           /* --check: look, and serve nobody */
	char *const *devices; /* what to look at, besides; NULL-terminated,
				 borrowed of argv */
} Options;

typedef enum OptionsVerdict {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* --help, --version, -T help: printed */
	OPTIONS_WRONG, /* *error says why, or it has been printed */
} OptionsVerdict;

OptionsVerdict options_parse(int argc, char **argv, Options *ret_options,
			     GError **error);

/* Whether none was given that describes a socket of our own: where systemd
 * passes one, its unit does. False with *error set. */
bool options_suit_activation(const Options *options, GError **error);

#endif
