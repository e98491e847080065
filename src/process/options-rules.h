/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table says everything about each option: options.c makes of it what
 * getopt wants, options-help.c the text of --help.
 */
#ifndef PROCESS_OPTIONS_RULES_H
#define PROCESS_OPTIONS_RULES_H

#include <stdio.h>

#include "process/options.h"

#define DEFAULT_SOCKET            RUNSTATEDIR "/qemu-pr-helper.sock"
#define DEFAULT_PIDFILE           RUNSTATEDIR "/qemu-pr-helper.pid"
#define DEFAULT_COMMAND_TIMEOUT_S 25
#define DEFAULT_MAX_CLIENTS       10000

/* The options as they come, before the defaults that depend on each other. */
typedef struct OptionsDraft {
	Options options;
	const char *user, *group, *pidfile;
	int verbosity;
	bool printed; /* what was asked for: nothing else is to be done */
} OptionsDraft;

typedef struct OptionsRule {
	const char *name;
	char letter; /* 0: the name only */
	/* From so many letters on, an abbreviation of the name means this
	 * option even if others begin alike; 0: if it is unique. */
	unsigned char shortest;
	const char *argument; /* as --help names it; NULL: takes none */
	/* Lines of --help, separated by '\n'; NULL: the next option's are for
	 * this one, too. */
	const char *help;
	/* False with *error set. `argument` outlives the draft. */
	bool (*set)(OptionsDraft *draft, const char *argument, GError **error);
} OptionsRule;

/* In the order of --help. */
extern const OptionsRule options_rules[];
extern const size_t options_rule_count;

void options_print_help(FILE *file);
void options_print_version(FILE *file);

/* The line that points to --help, after a wrong option. */
void options_print_hint(FILE *file);

#endif
