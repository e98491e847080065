/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening DEVICE: no more access than the command needs, and never a wait.
 */
#ifndef CLIENT_DEVICE_H
#define CLIENT_DEVICE_H

#include <glib.h>
#include <stdbool.h>

/* Opens for writing if `write`, falling back to reading where writing is
 * denied: the helper then refuses what changes reservations, as it has to.
 * *ret_read_only tells. The caller owns the descriptor; -1 with a CLIENT_ERROR
 * of 50 + errno. */
int client_device_open(const char *path, bool write, bool *ret_read_only,
		       GError **error);

#endif
