/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command as SG_IO takes it; the way back is sg-result.h. Pure.
 */
#ifndef SG_REQUEST_H
#define SG_REQUEST_H

#include <scsi/sg.h>

#include "device/command.h"

/* Fills everything but the timeout. The header borrows the command's CDB and
 * data, and `sense`, which has WIRE_SENSE_SIZE bytes. An IN gets the whole
 * buffer of WIRE_DATA_MAX bytes, whatever its allocation length: targets were
 * seen to write past smaller ones. */
void sg_request_fill(Command *command, uint8_t *sense, sg_io_hdr_t *ret_io);

/* The timeout for a command that has to be answered within `left`
 * microseconds, in milliseconds: it ends before that, so that the true answer
 * arrives first where there is one. 0: not enough is left to send it. */
unsigned int sg_request_timeout(int64_t left);

#endif
