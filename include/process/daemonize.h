/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -d: the start-up runs in a child, while the parent waits to learn how it
 * went; so errors reach the terminal and the exit status the shell.
 */
#ifndef DAEMONIZE_H
#define DAEMONIZE_H

#include <glib.h>
#include <stdbool.h>

/* Forks; only the child returns. The parent exits 0 when the child has called
 * daemonize_ready(), else with the child's exit status. False with *error set
 * where that fails. Before any thread exists. */
bool daemonize(int *ret_parent, GError **error);

/* The child serves: standard input, output and error become /dev/null, and
 * the parent is told (and *parent closed). */
void daemonize_ready(int *parent);

#endif
