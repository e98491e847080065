/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SG_IO.
 */
#ifndef SCSI_SEND_H
#define SCSI_SEND_H

#include <stdint.h>

#include "device/command.h"

/* Sends the command to the device that command->fd is a descriptor of, and
 * answers it, always. The caller has made sure that it is a whole SCSI device.
 * `deadline`: as Backend.execute() has it. Blocks; any thread. */
void scsi_send(Command *command, int64_t deadline);

#endif
