/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program says of itself: --help, --version, and the defaults that
 * both the help text and the options need.
 */
#ifndef USAGE_H
#define USAGE_H

#include <stdio.h>

#define DEFAULT_SOCKET          RUNSTATEDIR "/qemu-pr-helper.sock"
#define DEFAULT_PIDFILE         RUNSTATEDIR "/qemu-pr-helper.pid"
#define DEFAULT_COMMAND_TIMEOUT 25 /* seconds */
#define DEFAULT_MAX_CLIENTS     10000

void usage_help(FILE *file);
void usage_version(FILE *file);

/* The line that points to --help, after a wrong option. */
void usage_hint(FILE *file);

#endif
