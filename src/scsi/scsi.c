/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PERSISTENT RESERVE IN/OUT and sense data, to and from bytes. Pure: what a
 * guest or a device sent is only ever looked at within its length.
 */
#include "scsi/scsi.h"

#include <string.h>

#include "base/bytes.h"

bool scsi_pr_cdb_get(const uint8_t *cdb, ScsiPrCdb *ret_cdb)
{
	bool out = cdb[0] == SCSI_PERSISTENT_RESERVE_OUT;

	if (!out && cdb[0] != SCSI_PERSISTENT_RESERVE_IN)
		return false;
	*ret_cdb = (ScsiPrCdb) {
		.opcode = cdb[0],
		.service_action = cdb[1] & 0x1f,
		.scope = out ? cdb[2] >> 4 : 0,
		.type = out ? cdb[2] & 0x0f : 0,
		.length = out ? be32_get(cdb + 5) : be16_get(cdb + 7),
	};
	return true;
}

bool scsi_pr_parameters_get(uint8_t service_action, const uint8_t *list,
			    size_t length, ScsiPrParameters *ret_parameters)
{
	bool move = service_action == SCSI_PR_OUT_REGISTER_AND_MOVE;
	uint8_t flags;

	if (length < SCSI_PR_PARAMETERS_LENGTH)
		return false;
	/* REGISTER AND MOVE has its flags in another byte, and other ones. */
	flags = move ? list[17] : list[20];
	*ret_parameters = (ScsiPrParameters) {
		.reservation_key = be64_get(list),
		.service_action_key = be64_get(list + 8),
		.aptpl = flags & 0x01,
		.unreg = move && (flags & 0x02),
		.all_tg_pt = !move && (flags & 0x04),
		.spec_i_pt = !move && (flags & 0x08),
	};
	return true;
}

bool scsi_pr_reservation_get(const uint8_t *payload, size_t size,
			     ScsiPrReservation *ret_reservation)
{
	if (size < 8)
		return false;
	/* ADDITIONAL LENGTH says whether a descriptor follows. */
	if (be32_get(payload + 4) == 0) {
		*ret_reservation = (ScsiPrReservation) { .held = false };
		return true;
	}
	if (size < SCSI_PR_RESERVATION_LENGTH)
		return false;
	*ret_reservation = (ScsiPrReservation) {
		.held = true,
		.key = be64_get(payload + 8),
		.scope = payload[21] >> 4,
		.type = payload[21] & 0x0f,
	};
	return true;
}

void scsi_sense_put(uint8_t *ret_bytes, size_t size, ScsiSense sense)
{
	memset(ret_bytes, 0, size);
	ret_bytes[0] = 0x70;
	ret_bytes[2] = sense.key;
	ret_bytes[7] =
		SCSI_SENSE_FIXED_LENGTH - 8; /* ADDITIONAL SENSE LENGTH */
	ret_bytes[12] = sense.asc;
	ret_bytes[13] = sense.ascq;
}

static void sense_get_fixed(const uint8_t *bytes, size_t size,
			    ScsiSense *ret_sense)
{
	/* A device may stop short of the additional sense code. */
	size_t valid = size < 8 ? 0 : 8u + bytes[7];

	*ret_sense = (ScsiSense) { .key = bytes[2] & 0x0f };
	if (valid > 12 && size > 12)
		ret_sense->asc = bytes[12];
	if (valid > 13 && size > 13)
		ret_sense->ascq = bytes[13];
}

bool scsi_sense_get(const uint8_t *bytes, size_t size, ScsiSense *ret_sense)
{
	if (size < 4)
		return false;
	switch (bytes[0] & 0x7f) {
	case 0x70:
	case 0x71:
		sense_get_fixed(bytes, size, ret_sense);
		return true;
	case 0x72:
	case 0x73:
		*ret_sense =
			(ScsiSense) { bytes[1] & 0x0f, bytes[2], bytes[3] };
		return true;
	default:
		return false;
	}
}
