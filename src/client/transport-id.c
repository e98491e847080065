/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TransportIDs from bytes, and to text: what a device answers to READ FULL
 * STATUS. The other direction is in transport-id-parse.c.
 */
#include "transport-id.h"

#include <string.h>

#include "base/bytes.h"
#include "number.h"
#include "transport-layout.h"

static const TransportLayout layouts[] = {
	{ TRANSPORT_FCP, "fcp", 8, 8 },
	{ TRANSPORT_SBP, "sbp", 8, 8 },
	{ TRANSPORT_SRP, "srp", 8, 16 },
	{ TRANSPORT_SAS, "sas", 4, 8 },
};

const TransportLayout *transport_layout_of_protocol(uint8_t protocol)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++)
		if (layouts[i].protocol == protocol)
			return &layouts[i];
	return NULL;
}

const TransportLayout *transport_layout_of_prefix(const char *text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++)
		if (g_ascii_strncasecmp(text, layouts[i].prefix, 3) == 0 &&
		    text[3] == ',')
			return &layouts[i];
	return NULL;
}

static bool get_iscsi(const uint8_t *bytes, size_t size, TransportId *id)
{
	/* ADDITIONAL LENGTH counts the name, its NUL and the padding. */
	size_t length = be16_get(bytes + 2);

	if (id->format > 1 || length == 0 || length > size - 4)
		return false;
	id->name = bytes + 4;
	id->name_size = strnlen((const char *)id->name, length);
	return id->name_size > 0;
}

static bool get_fixed(const uint8_t *bytes, size_t size, TransportId *id)
{
	const TransportLayout *layout =
		transport_layout_of_protocol(id->protocol);

	if (size < TRANSPORT_ID_SIZE || id->format != 0)
		return false;
	if (layout) {
		id->name = bytes + layout->offset;
		id->name_size = layout->size;
		return true;
	}
	id->address = be16_get(bytes + 2);
	if (id->protocol == TRANSPORT_SPI)
		id->port = be16_get(bytes + 6);
	return id->protocol == TRANSPORT_SPI || id->protocol == TRANSPORT_SOP;
}

bool transport_id_get(const uint8_t *bytes, size_t size, TransportId *ret_id)
{
	TransportId id = { 0 };
	bool known;

	if (size < 4)
		return false;
	id.protocol = bytes[0] & 0x0f;
	id.format = bytes[0] >> 6;
	if (id.protocol == TRANSPORT_ISCSI)
		known = get_iscsi(bytes, size, &id);
	else
		known = get_fixed(bytes, size, &id);
	if (known)
		*ret_id = id;
	return known;
}

void transport_id_append_text(GString *text, const TransportId *id)
{
	const TransportLayout *layout =
		transport_layout_of_protocol(id->protocol);

	if (layout) {
		g_string_append_printf(text, "%s,", layout->prefix);
		number_append_bytes(text, id->name, id->name_size);
	} else if (id->protocol == TRANSPORT_ISCSI) {
		g_string_append_len(text, (const char *)id->name,
				    (gssize)id->name_size);
	} else if (id->protocol == TRANSPORT_SPI) {
		g_string_append_printf(text, "spi,%u,%u", id->address,
				       id->port);
	} else {
		g_string_append_printf(text, "sop,%x", id->address);
	}
}

const char *transport_id_protocol_name(uint8_t protocol)
{
	static const char *const names[16] = {
		[TRANSPORT_FCP] = "Fibre Channel",
		[TRANSPORT_SPI] = "parallel SCSI",
		[TRANSPORT_SSA] = "SSA",
		[TRANSPORT_SBP] = "IEEE 1394",
		[TRANSPORT_SRP] = "RDMA",
		[TRANSPORT_ISCSI] = "iSCSI",
		[TRANSPORT_SAS] = "SAS",
		[TRANSPORT_ADT] = "ADT",
		[TRANSPORT_ATA] = "ATAPI",
		[TRANSPORT_UAS] = "UAS",
		[TRANSPORT_SOP] = "SOP",
		[TRANSPORT_PCIE] = "PCIE",
		[TRANSPORT_NONE] = "no specified protocol",
	};
	const char *name = names[protocol & 0x0f];

	return name ? name : "reserved";
}
