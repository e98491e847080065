/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a TransportID of fixed length keeps its name, SPC-4 7.6.4.2 ff. Shared
 * by the two directions of transport-id, and nobody else's business.
 */
#ifndef CLIENT_TRANSPORT_LAYOUT_H
#define CLIENT_TRANSPORT_LAYOUT_H

#include <stdint.h>

typedef struct TransportLayout {
	uint8_t protocol;
	char prefix[4];       /* of the text form, without the comma */
	uint8_t offset, size; /* of the name, in bytes */
} TransportLayout;

/* NULL where the protocol has no such name. */
const TransportLayout *transport_layout_of_protocol(uint8_t protocol);

/* By the prefix and the comma behind it; the case does not matter. */
const TransportLayout *transport_layout_of_prefix(const char *text);

#endif
