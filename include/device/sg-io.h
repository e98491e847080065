/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SG_IO: the command as SG_IO takes it, and what SG_IO reported as the
 * client's answer.
 */
#ifndef SG_IO_H
#define SG_IO_H

#include <scsi/sg.h>
#include <stdint.h>

#include "device/command.h"

/* Sends the command to the device that command->fd is a descriptor of, and
 * answers it, always. The caller has made sure that it is a whole SCSI device.
 * `deadline_us`: as Backend.execute() has it. Blocks; any thread. */
void sg_io_send(Command *command, int64_t deadline_us);

/* The parts of that which are pure. */

/* Fills everything but the timeout. The header borrows the command's CDB and
 * data, and `sense`, which has WIRE_SENSE_SIZE bytes. An IN gets the whole
 * buffer of WIRE_DATA_MAX bytes, whatever its allocation length: targets were
 * seen to write past smaller ones. */
void sg_io_fill(Command *command, uint8_t *sense, sg_io_hdr_t *ret_io);

/* The timeout for a command that has to be answered within `left_us`, in
 * milliseconds. It ends before that, so that the true answer arrives first if
 * there is one. 0: not enough time is left to send it. */
unsigned int sg_io_timeout_ms(int64_t left_us);

/* Answers the command from a finished SG_IO. A SCSI status other than GOOD is
 * the device's word and wins over everything: kernels before 6.1 report
 * RESERVATION CONFLICT together with a host status. A transport error is never
 * GOOD. */
void sg_io_answer(Command *command, const sg_io_hdr_t *io);

#endif
