/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire protocol between QEMU and the helper: sizes and layouts, nothing
 * else. docs/PROTOCOL.md tells the whole conversation. All integers are
 * big-endian; the transport is a Unix stream socket. Pure: no I/O, no state.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>

/* Each side sends one feature word; no feature bit is defined yet. */
#define WIRE_FEATURES_SIZE      4
#define WIRE_FEATURES_SUPPORTED 0u

/* A request: the CDB, zero-padded, with one descriptor as SCM_RIGHTS; for
 * PERSISTENT RESERVE OUT the parameter list follows. */
#define WIRE_CDB_SIZE 16

/* Longest parameter list and longest payload, in bytes. A CDB that asks for
 * more is a breach of the protocol. */
#define WIRE_DATA_MAX 8192

/* The reply: header, then `size` bytes of payload. */
#define WIRE_SENSE_SIZE 96
#define WIRE_REPLY_SIZE (4 + 4 + WIRE_SENSE_SIZE)

typedef struct WireReply {
	uint32_t status; /* SCSI status code, SAM-5 5.3 */
	uint32_t size;   /* bytes of payload that follow, <= WIRE_DATA_MAX */
	uint8_t sense[WIRE_SENSE_SIZE]; /* zeroes where there is none */
} WireReply;

void wire_reply_put(uint8_t ret_bytes[WIRE_REPLY_SIZE], const WireReply *reply);
void wire_reply_get(const uint8_t bytes[WIRE_REPLY_SIZE], WireReply *ret_reply);

#endif
