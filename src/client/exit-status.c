/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a SCSI status, a sense key or an errno to an exit status. Pure.
 */
#include "exit-status.h"

#include "scsi/scsi.h"

G_DEFINE_QUARK(client - error - quark, client_error)

ExitStatus exit_status_of_errno(int number)
{
	if (number > 0 && number < EXIT_STATUS_MALFORMED - EXIT_STATUS_ERRNO)
		return EXIT_STATUS_ERRNO + number;
	return EXIT_STATUS_ERRNO;
}

static const uint8_t by_sense_key[16] = {
	[0x0] = EXIT_STATUS_NO_SENSE,
	[0x1] = EXIT_STATUS_RECOVERED,
	[0x2] = EXIT_STATUS_NOT_READY,
	[0x3] = EXIT_STATUS_MEDIUM_OR_HARDWARE,
	[0x4] = EXIT_STATUS_MEDIUM_OR_HARDWARE,
	[0x5] = EXIT_STATUS_ILLEGAL_REQUEST,
	[0x6] = EXIT_STATUS_UNIT_ATTENTION,
	[0x7] = EXIT_STATUS_DATA_PROTECT,
	[0x8] = EXIT_STATUS_MEDIUM_OR_HARDWARE,
	[0xa] = EXIT_STATUS_COPY_ABORTED,
	[0xb] = EXIT_STATUS_ABORTED_COMMAND,
	[0xe] = EXIT_STATUS_MISCOMPARE,
};

static ExitStatus of_sense(const uint8_t *bytes)
{
	ScsiSense sense;
	ExitStatus status;

	if (!scsi_sense_get(bytes, WIRE_SENSE_SIZE, &sense))
		return EXIT_STATUS_OTHER_SENSE;
	if (sense.key == SCSI_SENSE_ILLEGAL_REQUEST && sense.asc == 0x20)
		return EXIT_STATUS_INVALID_OPCODE;
	if (sense.key == SCSI_SENSE_ABORTED_COMMAND && sense.asc == 0x10)
		return EXIT_STATUS_PROTECTION;
	status = by_sense_key[sense.key & 0x0f];
	return status ? status : EXIT_STATUS_OTHER_SENSE;
}

ExitStatus exit_status_of_reply(const WireReply *reply)
{
	switch (reply->status) {
	case SCSI_GOOD:
		return EXIT_STATUS_OK;
	case SCSI_CHECK_CONDITION:
		return of_sense(reply->sense);
	case SCSI_CONDITION_MET:
		return EXIT_STATUS_CONDITION_MET;
	case SCSI_BUSY:
		return EXIT_STATUS_BUSY;
	case SCSI_RESERVATION_CONFLICT:
		return EXIT_STATUS_RESERVATION_CONFLICT;
	case SCSI_TASK_SET_FULL:
		return EXIT_STATUS_TASK_SET_FULL;
	case SCSI_ACA_ACTIVE:
		return EXIT_STATUS_ACA_ACTIVE;
	case SCSI_TASK_ABORTED:
		return EXIT_STATUS_TASK_ABORTED;
	default:
		return EXIT_STATUS_OTHER;
	}
}
