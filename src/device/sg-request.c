/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sg-request.h"

#include <glib.h>

/* Milliseconds between the end of SG_IO's timeout and the deadline. */
#define MARGIN 500

/* A shorter timeout would abort commands that a busy device answers. */
#define SHORTEST 1000

/* With less than this left a command would only become one of unknown
 * outcome. */
#define LEAST_LEFT 100

void sg_request_fill(Command *command, uint8_t *sense, sg_io_hdr_t *ret_io)
{
	bool in = command->pr.opcode == SCSI_PERSISTENT_RESERVE_IN;

	*ret_io = (sg_io_hdr_t) {
		.interface_id = 'S',
		.cmdp = command->cdb,
		.cmd_len = SCSI_PR_CDB_LENGTH,
		.sbp = sense,
		.mx_sb_len = WIRE_SENSE_SIZE,
		.dxferp = command->data,
		.dxfer_len = in ? WIRE_DATA_MAX : command->pr.length,
		.dxfer_direction = in ? SG_DXFER_FROM_DEV : SG_DXFER_TO_DEV,
	};
	if (ret_io->dxfer_len == 0)
		ret_io->dxfer_direction = SG_DXFER_NONE;
}

unsigned int sg_request_timeout(int64_t left)
{
	left /= 1000;
	if (left < LEAST_LEFT)
		return 0;
	return (unsigned int)MAX(left - MARGIN, SHORTEST);
}
