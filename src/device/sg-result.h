/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SG_IO reported, as the client's answer. SG_IO tells of failures in
 * three places (SCSI status, host status, driver status); they are set apart
 * here and nowhere else. Pure.
 */
#ifndef SG_RESULT_H
#define SG_RESULT_H

#include <scsi/sg.h>

#include "device/command.h"

/* Answers the command from a finished SG_IO. A SCSI status other than GOOD is
 * the device's word and wins over everything: kernels before 6.1 report
 * RESERVATION CONFLICT together with a host status. A transport error is
 * never GOOD; docs/PROTOCOL.md lists the senses. */
void sg_result_answer(Command *command, const sg_io_hdr_t *io);

#endif
