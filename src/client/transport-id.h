/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TransportIDs, SPC-4 7.6.4: the name of an initiator port on the transport
 * that it uses. Between bytes and the text forms that sg_persist takes:
 *
 *	fcp,16 hex digits	Fibre Channel: N_Port_Name
 *	spi,ADDRESS,PORT	parallel SCSI, both numbers decimal
 *	sbp,16 hex digits	IEEE 1394: EUI-64
 *	srp,32 hex digits	RDMA: initiator port identifier
 *	iqn... eui... naa...	iSCSI name, with ",i,0xISID" or without
 *	sas,16 hex digits	SAS address
 *	sop,HEX			SCSI over PCIe: routing ID
 *	6,0,0,0,50,...		the bytes themselves, in hexadecimal
 *
 * Pure: bytes from a device are only looked at within their length.
 */
#ifndef CLIENT_TRANSPORT_ID_H
#define CLIENT_TRANSPORT_ID_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PROTOCOL IDENTIFIER, SPC-4 7.6.1. */
enum {
	TRANSPORT_FCP = 0x0,
	TRANSPORT_SPI = 0x1,
	TRANSPORT_SSA = 0x2,
	TRANSPORT_SBP = 0x3,
	TRANSPORT_SRP = 0x4,
	TRANSPORT_ISCSI = 0x5,
	TRANSPORT_SAS = 0x6,
	TRANSPORT_ADT = 0x7,
	TRANSPORT_ATA = 0x8,
	TRANSPORT_UAS = 0x9,
	TRANSPORT_SOP = 0xa,
	TRANSPORT_PCIE = 0xb,
	TRANSPORT_NONE = 0xf,
};

/* The length of each but iSCSI's, which may be longer, in bytes. */
#define TRANSPORT_ID_SIZE 24
/* The longest that transport_id_parse() makes. */
#define TRANSPORT_ID_MAX 512

typedef struct TransportId {
	uint8_t protocol; /* TRANSPORT_* */
	uint8_t format;   /* FORMAT CODE; iSCSI: 1 where a session is named */
	const uint8_t *name; /* borrowed: WWN, EUI-64, SAS address, or the
				iSCSI name up to its NUL; NULL for the rest */
	size_t name_size;
	uint16_t address; /* SPI: SCSI address; SOP: routing ID */
	uint16_t port;    /* SPI: relative target port */
} TransportId;

/* Decodes. False, and *ret_id untouched, where the bytes are too few, or the
 * format or the protocol is none of those above: show such an ID in hex. */
bool transport_id_get(const uint8_t *bytes, size_t size, TransportId *ret_id);

/* Appends the text form. An iSCSI name is appended as the device sent it: it
 * may hold anything but NUL. */
void transport_id_append_text(GString *text, const TransportId *id);

/* What a person calls the protocol. Static, never NULL. */
const char *transport_id_protocol_name(uint8_t protocol);

/* Appends the ID that the text stands for to *bytes, padded as the standard
 * wants it. False with *ret_reason (static) and *bytes untouched where it is
 * none of the forms. */
bool transport_id_parse(const char *text, GByteArray *bytes,
			const char **ret_reason);

#endif
