/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts for the terminal. The manual page says the same at length.
 */
#include "usage.h"

#include <string.h>

#include "base/version-mark.h"

#define NAME "qemu-pr-helper"

void usage_help(FILE *file)
{
	fprintf(file,
		"Usage: " NAME " [OPTION]...\n"
		"       " NAME " --check [OPTION]... [DEVICE]...\n"
		"Sends SCSI persistent reservation commands for QEMU's virtual\n"
		"machines, which may not send them themselves.\n"
		"\n"
		"  -h, --help            show this help and exit\n"
		"  -V, --version         show the version and exit\n"
		"  -d, --daemon          run in the background\n"
		"  -f, --pidfile=PATH    write the process ID to PATH; with -d the\n"
		"                        default is " DEFAULT_PIDFILE "\n"
		"  -k, --socket=PATH     listen on this Unix socket, an absolute path\n"
		"                        (" DEFAULT_SOCKET ")\n"
		"  -u, --user=USER       run as this user, by name or number\n"
		"  -g, --group=GROUP     run as this group\n"
		"  -q, --quiet           log only warnings and errors\n"
		"  -v, --verbose         log every command\n"
		"  -T, --trace=[[enable=]PATTERN][,events=FILE][,file=FILE]\n"
		"                        switch trace points on; -T help lists them\n"
		"\n"
		"      --socket-mode=MODE, --socket-owner=USER, --socket-group=GROUP\n"
		"                        permissions of the socket\n"
		"      --command-timeout=SECONDS\n"
		"                        answer each command within this time (%d)\n"
		"      --max-clients=N   serve at most so many clients (%d)\n"
		"      --log-target=auto|journal|syslog|stderr\n"
		"                        where to log\n"
		"      --check           serve nobody; say whether this host, and each\n"
		"                        DEVICE, is ready, and what to fix if not\n"
		"\n"
		"The manual page qemu-pr-helper(8) has the rest.\n",
		DEFAULT_COMMAND_TIMEOUT, DEFAULT_MAX_CLIENTS);
}

/* For qemu-pr-client --ping, too, which reads it in the program's file. */
static const char version_mark[] __attribute__((used)) =
	VERSION_MARK_PREFIX VERSION;

void usage_version(FILE *file)
{
	fprintf(file,
		"%s\n"
		"License: GNU GPL version 2 or later\n",
		version_mark + strlen(VERSION_MARK));
}

void usage_hint(FILE *file)
{
	fputs(NAME ": Try '" NAME " --help' for more information.\n", file);
}
