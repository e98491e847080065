/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TransportIDs that --transport-id names: one in the argument itself, or
 * as many as there are lines in a file or on standard input.
 */
#ifndef CLIENT_TRANSPORT_LIST_H
#define CLIENT_TRANSPORT_LIST_H

#include <glib.h>
#include <stdbool.h>

typedef struct TransportList {
	GByteArray *bytes; /* the IDs, one behind the other; owned */
	guint count;
} TransportList;

void transport_list_init(TransportList *list);
void transport_list_deinit(TransportList *list);

/* Adds what the argument stands for: a TransportID, "file=PATH", or "-" for
 * standard input. False with a CLIENT_ERROR where it cannot. */
bool transport_list_add(TransportList *list, const char *argument,
			GError **error);

/* Adds the IDs in a text: one a line, "#" starts a comment. `name` says in
 * the error where the text is from. Pure. */
bool transport_list_add_lines(TransportList *list, const char *text,
			      const char *name, GError **error);

#endif
