/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the client's exit status means. The numbers are those of the sg3_utils
 * package, so that a script written for sg_persist reads them as before.
 */
#ifndef CLIENT_EXIT_STATUS_H
#define CLIENT_EXIT_STATUS_H

#include <glib.h>

#include "scsi/wire.h"

typedef enum ExitStatus {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_SYNTAX = 1,
	EXIT_STATUS_NOT_READY = 2,
	EXIT_STATUS_MEDIUM_OR_HARDWARE = 3,
	EXIT_STATUS_ILLEGAL_REQUEST = 5,
	EXIT_STATUS_UNIT_ATTENTION = 6,
	EXIT_STATUS_DATA_PROTECT = 7,
	EXIT_STATUS_INVALID_OPCODE = 9,
	EXIT_STATUS_COPY_ABORTED = 10,
	EXIT_STATUS_ABORTED_COMMAND = 11,
	EXIT_STATUS_MISCOMPARE = 14,
	/* No helper at the socket, or a file that cannot be read or written. */
	EXIT_STATUS_FILE = 15,
	EXIT_STATUS_NO_SENSE = 20,
	EXIT_STATUS_RECOVERED = 21,
	EXIT_STATUS_RESERVATION_CONFLICT = 24,
	EXIT_STATUS_CONDITION_MET = 25,
	EXIT_STATUS_BUSY = 26,
	EXIT_STATUS_TASK_SET_FULL = 27,
	EXIT_STATUS_ACA_ACTIVE = 28,
	EXIT_STATUS_TASK_ABORTED = 29,
	EXIT_STATUS_CONTRADICTION = 31,
	EXIT_STATUS_TIMEOUT = 33,
	EXIT_STATUS_PROTECTION = 40,
	/* 51 to 96: an errno of 1 to 46 of the device's open(). */
	EXIT_STATUS_ERRNO = 50,
	/* The helper or the device answered what cannot be right. */
	EXIT_STATUS_MALFORMED = 97,
	EXIT_STATUS_OTHER_SENSE = 98,
	/* The command was sent and no answer came, or an unknown status. */
	EXIT_STATUS_OTHER = 99,
} ExitStatus;

/* The domain of every GError in the client; its code is an ExitStatus. */
#define CLIENT_ERROR client_error_quark()
GQuark client_error_quark(void);

ExitStatus exit_status_of_errno(int number);
ExitStatus exit_status_of_reply(const WireReply *reply);

#endif
