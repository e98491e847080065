/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device/scsi-send.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/trace.h"
#include "sg-request.h"
#include "sg-result.h"

void scsi_send(Command *command, int64_t deadline)
{
	uint8_t sense[WIRE_SENSE_SIZE] = { 0 };
	sg_io_hdr_t io;

	sg_request_fill(command, sense, &io);
	io.timeout = sg_request_timeout(deadline - g_get_monotonic_time());
	trace(scsi_submit, "device=%u:%u fd=%d timeout=%u", command->major,
	      command->minor, command->fd, io.timeout);
	if (io.timeout == 0)
		command_refuse(command, FAILURE_NOT_SENT,
			       "its deadline passed before it was sent");
	else if (ioctl(command->fd, SG_IO, &io) < 0)
		command_refuse(command, FAILURE_NO_SCSI_DEVICE, "SG_IO: %s",
			       strerror(errno));
	else
		sg_result_answer(command, &io);
	trace(scsi_return, "device=%u:%u status=0x%02x", command->major,
	      command->minor, command->reply.status);
}
