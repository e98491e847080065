/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TransportIDs for people, in sg_persist's words.
 */
#include "print-transport.h"

#include "base/bytes.h"
#include "hex-dump.h"
#include "print.h"
#include "transport-id.h"

#define INDENT       "        "
#define BYTES_INDENT "      "

static void print_unknown(GString *text, const uint8_t *bytes, size_t size)
{
	uint8_t protocol = bytes[0] & 0x0f, format = bytes[0] >> 6;

	if (protocol == TRANSPORT_NONE)
		g_string_append(text, INDENT "No specified protocol\n");
	else if (protocol > TRANSPORT_PCIE)
		g_string_append_printf(text,
				       INDENT "unknown protocol id=0x%x  "
					      "TPID format=%u\n",
				       protocol, format);
	else
		g_string_append_printf(
			text, INDENT "%s:\n" INDENT "TPID format: %u\n",
			transport_id_protocol_name(protocol), format);
	hex_dump(text, BYTES_INDENT, bytes, size);
}

static void print_name_bytes(GString *text, const char *title,
			     const TransportId *id)
{
	g_string_append_printf(text, INDENT "%s:\n", title);
	hex_dump(text, BYTES_INDENT, id->name, id->name_size);
}

static void print_iscsi(GString *text, const TransportId *id)
{
	g_string_append_printf(text, INDENT "%s: ",
			       id->format ? "iSCSI world wide unique port id"
					  : "iSCSI name");
	print_escaped(text, id->name, id->name_size);
	g_string_append_c(text, '\n');
}

static void print_sas(GString *text, const TransportId *id)
{
	g_string_append_printf(
		text, INDENT "SAS address: 0x%" G_GINT64_MODIFIER "x\n",
		be64_get(id->name));
}

static void print_spi(GString *text, const TransportId *id)
{
	g_string_append_printf(text,
			       INDENT "Parallel SCSI initiator SCSI address: "
				      "0x%x\n" INDENT
				      "relative port number (of corresponding "
				      "target): 0x%x\n",
			       id->address, id->port);
}

static void print_known(GString *text, const TransportId *id)
{
	switch (id->protocol) {
	case TRANSPORT_FCP:
		print_name_bytes(text, "FCP-2 World Wide Name", id);
		break;
	case TRANSPORT_SPI:
		print_spi(text, id);
		break;
	case TRANSPORT_SBP:
		print_name_bytes(text, "IEEE 1394 EUI-64 name", id);
		break;
	case TRANSPORT_SRP:
		print_name_bytes(text, "RDMA initiator port identifier", id);
		break;
	case TRANSPORT_ISCSI:
		print_iscsi(text, id);
		break;
	case TRANSPORT_SAS:
		print_sas(text, id);
		break;
	default:
		g_string_append_printf(text, INDENT "SOP Routing ID: 0x%x\n",
				       id->address);
		break;
	}
}

void print_transport_id(GString *text, const uint8_t *bytes, size_t size)
{
	TransportId id;

	g_string_append(text, "      Transport Id of initiator:\n");
	if (transport_id_get(bytes, size, &id))
		print_known(text, &id);
	else
		print_unknown(text, bytes, size);
}
