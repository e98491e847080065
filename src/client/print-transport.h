/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TransportID as sg_persist prints it below a registration. Pure.
 */
#ifndef CLIENT_PRINT_TRANSPORT_H
#define CLIENT_PRINT_TRANSPORT_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Of `size` bytes, at least one; what cannot be told is shown in hex. */
void print_transport_id(GString *text, const uint8_t *bytes, size_t size);

#endif
