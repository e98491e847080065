/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TransportIDs from the text that a person types. Each form has its function,
 * which fills a zeroed buffer and tells how much of it is used.
 */
#include "transport-id.h"

#include <string.h>

#include "base/bytes.h"
#include "number.h"
#include "transport-layout.h"

/* RFC 3720 3.2.6: an iSCSI name has at most 223 bytes. */
#define ISCSI_NAME_MAX 223
/* An ISID is 6 bytes long. */
#define ISID_DIGITS 12

typedef struct Draft {
	uint8_t bytes[TRANSPORT_ID_MAX];
	size_t size;
	const char *reason; /* why it is no TransportID, or NULL */
} Draft;

static void parse_layout(const TransportLayout *layout, const char *value,
			 Draft *draft)
{
	if (g_str_has_prefix(value, "0x"))
		value += 2;
	if (!number_parse_bytes(value, draft->bytes + layout->offset,
				layout->size)) {
		draft->reason =
			layout->size == 16
				? "needs exactly 32 hexadecimal digits behind the comma"
				: "needs exactly 16 hexadecimal digits behind the comma";
		return;
	}
	draft->bytes[0] = layout->protocol;
	draft->size = TRANSPORT_ID_SIZE;
}

static void parse_spi(const char *value, Draft *draft)
{
	g_auto(GStrv) fields = g_strsplit(value, ",", 3);
	uint64_t address, port;

	if (g_strv_length(fields) != 2 ||
	    !number_parse(fields[0], UINT16_MAX, &address) ||
	    !number_parse(fields[1], UINT16_MAX, &port)) {
		draft->reason = "needs a SCSI address and a relative port, "
				"each at most 65535, for example spi,7,1";
		return;
	}
	draft->bytes[0] = TRANSPORT_SPI;
	be16_put(draft->bytes + 2, (uint16_t)address);
	be16_put(draft->bytes + 6, (uint16_t)port);
	draft->size = TRANSPORT_ID_SIZE;
}

static void parse_sop(const char *value, Draft *draft)
{
	uint64_t routing_id;

	if (!number_parse_hex(value, UINT16_MAX, &routing_id)) {
		draft->reason = "needs a routing ID of at most ffff";
		return;
	}
	draft->bytes[0] = TRANSPORT_SOP;
	be16_put(draft->bytes + 2, (uint16_t)routing_id);
	draft->size = TRANSPORT_ID_SIZE;
}

/* The session's part, ",i,0x" and the ISID, or NULL where there is none. */
static const char *find_session(const char *name)
{
	const char *comma = strchr(name, ',');

	return comma && g_ascii_strncasecmp(comma, ",i,0x", 5) == 0 ? comma
								    : NULL;
}

static bool is_isid(const char *digits)
{
	size_t length = strspn(digits, "0123456789abcdefABCDEF");

	return length >= 1 && length <= ISID_DIGITS && digits[length] == '\0';
}

static void parse_iscsi(const char *name, Draft *draft)
{
	const char *session = find_session(name);
	size_t length = strlen(name);
	size_t name_length = session ? (size_t)(session - name) : length;
	size_t padded;

	if (session ? !is_isid(session + 5) : strchr(name, ',') != NULL) {
		draft->reason = "has something behind the iSCSI name other "
				"than ,i,0x and 1 to 12 hexadecimal digits";
		return;
	}
	if (name_length > ISCSI_NAME_MAX) {
		draft->reason = "has an iSCSI name of more than 223 bytes";
		return;
	}
	/* SPC-4 7.6.4.6: a NUL, then padding to a multiple of four, and 20
	 * bytes at least. */
	padded = MAX(20, (length + 1 + 3) & ~(size_t)3);
	draft->bytes[0] = TRANSPORT_ISCSI | (session ? 1 << 6 : 0);
	be16_put(draft->bytes + 2, (uint16_t)padded);
	memcpy(draft->bytes + 4, name, length);
	draft->size = 4 + padded;
}

static void parse_hex_list(const char *text, Draft *draft)
{
	g_auto(GStrv) fields = g_strsplit_set(text, ", \t", -1);
	uint64_t byte;

	for (char **field = fields; *field; field++) {
		/* Several blanks in a row are one separator. */
		if (**field == '\0')
			continue;
		if (draft->size == sizeof(draft->bytes)) {
			draft->reason = "is a list of more than 512 bytes";
			return;
		}
		if (!number_parse_hex(*field, UINT8_MAX, &byte)) {
			draft->reason = "is neither a list of hexadecimal "
					"bytes nor one of the forms "
					"fcp, spi, sbp, srp, sas, sop, iqn";
			return;
		}
		draft->bytes[draft->size++] = (uint8_t)byte;
	}
	if (draft->size == 0)
		draft->reason = "is empty";
	draft->size = MAX(draft->size, TRANSPORT_ID_SIZE);
}

static void parse(const char *text, Draft *draft)
{
	const TransportLayout *layout = transport_layout_of_prefix(text);

	if (layout)
		parse_layout(layout, text + 4, draft);
	else if (g_ascii_strncasecmp(text, "spi,", 4) == 0)
		parse_spi(text + 4, draft);
	else if (g_ascii_strncasecmp(text, "sop,", 4) == 0)
		parse_sop(text + 4, draft);
	else if (g_str_has_prefix(text, "iqn.") ||
		 g_str_has_prefix(text, "eui.") ||
		 g_str_has_prefix(text, "naa."))
		parse_iscsi(text, draft);
	else
		parse_hex_list(text, draft);
}

bool transport_id_parse(const char *text, GByteArray *bytes,
			const char **ret_reason)
{
	Draft draft = { 0 };

	parse(text, &draft);
	if (draft.reason) {
		*ret_reason = draft.reason;
		return false;
	}
	g_byte_array_append(bytes, draft.bytes, (guint)draft.size);
	return true;
}
