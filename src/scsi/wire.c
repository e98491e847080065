/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reply header of the wire protocol, packed and unpacked. Pure.
 */
#include "scsi/wire.h"

#include <string.h>

#include "base/bytes.h"

void wire_reply_put(uint8_t ret_bytes[WIRE_REPLY_SIZE], const WireReply *reply)
{
	be32_put(ret_bytes, reply->status);
	be32_put(ret_bytes + 4, reply->size);
	memcpy(ret_bytes + 8, reply->sense, WIRE_SENSE_SIZE);
}

void wire_reply_get(const uint8_t bytes[WIRE_REPLY_SIZE], WireReply *ret_reply)
{
	ret_reply->status = be32_get(bytes);
	ret_reply->size = be32_get(bytes + 4);
	memcpy(ret_reply->sense, bytes + 8, WIRE_SENSE_SIZE);
}
