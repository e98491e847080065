/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end of the socket, for people: nothing that the client
 * does depends on it. What the kernel attests (process, user) is told apart
 * from what is looked up under /proc, and what cannot be read is said to be
 * unknown. No program is run.
 */
#ifndef CLIENT_HELPER_H
#define CLIENT_HELPER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "connection.h"

typedef enum HelperKind {
	HELPER_UNKNOWN, /* its program cannot be read */
	HELPER_OWN,     /* of this project */
	HELPER_OTHER,
} HelperKind;

typedef struct HelperIdentity {
	pid_t pid; /* 0 where this PID namespace has none for it */
	uid_t uid;
	char *user;    /* as /etc/passwd calls it, or NULL */
	char *program; /* its path, or only its name, or NULL */
	HelperKind kind;
	char *version; /* with HELPER_OWN only */
	char *reason;  /* with HELPER_UNKNOWN only: why */
} HelperIdentity;

/* Of the process that sent the greeting on this open connection. Waits for
 * nobody but the file system of /etc/passwd and of the program. The caller has
 * to deinit *ret_helper. */
void helper_identify(const ClientConnection *connection,
		     HelperIdentity *ret_helper);
void helper_deinit(HelperIdentity *helper);

/* Which manager holds the socket that the connection is for, and starts the
 * service behind it when somebody connects. */
typedef enum HelperManager {
	HELPER_MANAGER_NONE,
	HELPER_MANAGER_SYSTEM, /* systemd as process 1 */
	HELPER_MANAGER_USER,   /* somebody's "systemd --user" */
} HelperManager;

HelperManager helper_manager(const ClientConnection *connection);

/* The version in a program's bytes (version-mark.h), or NULL; pure. The caller
 * frees it. */
char *helper_version_find(const uint8_t *bytes, size_t size);

/* The same of a whole file, from where `fd` stands; of at most 64 MiB. False
 * with errno where it cannot be read. */
bool helper_version_read(int fd, char **ret_version);

#endif
