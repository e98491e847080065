/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One PERSISTENT RESERVE command: what the client asked, and what the device
 * (or, where it could not be asked, the helper) answered. It crosses threads:
 * at any time exactly one thread owns it, so it needs no lock.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/peer.h"
#include "scsi/scsi.h"
#include "scsi/wire.h"

typedef struct Backend Backend;
typedef struct Connection Connection;

/* Why the helper answers in the device's place. Each failure has its sense data
 * in command.c; docs/PROTOCOL.md says which cases it stands for. */
typedef enum Failure {
	FAILURE_NONE,            /* the device has answered */
	FAILURE_NOT_SUPPORTED,   /* never works on this descriptor */
	FAILURE_INVALID_FIELD,   /* this service action never works on a map */
	FAILURE_NO_SCSI_DEVICE,  /* it is none, or it cannot be used now */
	FAILURE_NOT_SENT,        /* too late: retry is safe */
	FAILURE_OUTCOME_UNKNOWN, /* it may have been done: ask before retry */
	FAILURE_NO_RESOURCES,    /* not sent: retry is safe */
	FAILURE_NO_PATH,         /* the device did not get it: retry is safe */
	FAILURE_DISRUPTED,       /* by the transport; it may have been done */
	FAILURE_TRANSPORT, /* any other error that the transport reports */
	FAILURE_COUNT,
} Failure;

/* The sense data that a client gets for this failure; not for FAILURE_NONE.
 * Pure. */
ScsiSense failure_sense(Failure failure);

/* Longest reason that an answer of the helper's own carries, with its NUL. */
#define COMMAND_REASON_SIZE 160

typedef struct Command {
	/* The request. The session fills it; it does not change later. */
	uint8_t cdb[WIRE_CDB_SIZE];
	ScsiPrCdb pr; /* the same, decoded */
	int fd; /* the device; owned, -1 once closed or handed to the closer */

	/* Where it came from and where the answer goes. */
	Peer peer;
	Connection *connection; /* NULL once it has gone */
	int64_t arrival_us;     /* g_get_monotonic_time(), microseconds */

	/* What the descriptor is; filled by backend_select(). */
	const Backend *backend;
	uint64_t queue_key;        /* commands of one device share a key */
	bool block;                /* a block device, else a character device */
	unsigned int major, minor; /* device number; 0:0 where it has none */

	/* The answer: reply.size bytes of `data` are the payload of an IN. */
	WireReply reply;
	Failure failure; /* FAILURE_NONE: the device's own answer */
	char reason[COMMAND_REASON_SIZE]; /* of a failure, for the log */
	int64_t answered_us; /* when; microseconds, as arrival_us */
	size_t sent; /* bytes of header and data that have gone out already */

	/* So many bytes of `data` at most are not zero, as far as devices say
	 * what they transfer. */
	size_t written;

	/* The reply as it goes over the wire: header, then payload. For OUT
	 * `data` holds the parameter list until the device has it. */
	uint8_t header[WIRE_REPLY_SIZE];
	uint8_t data[WIRE_DATA_MAX];
} Command;

/* The header is sent together with the payload, as one run of bytes. */
_Static_assert(offsetof(Command, data) ==
		       offsetof(Command, header) + WIRE_REPLY_SIZE,
	       "reply header and payload are adjacent");

/* A command of this decoded CDB; takes the descriptor. Never fails (GLib
 * aborts where memory is short). */
Command *command_new(const uint8_t cdb[WIRE_CDB_SIZE], const ScsiPrCdb *pr,
		     int fd);

/* The same in the memory of a command that is over and done; takes it. NULL:
 * in new memory. */
Command *command_renew(Command *old, const uint8_t cdb[WIRE_CDB_SIZE],
		       const ScsiPrCdb *pr, int fd);

/* Closes the descriptor, which may block: main loop code hands it to the closer
 * first. Accepts NULL. */
void command_free(Command *command);

/* A second command with the same request and no descriptor, to be answered in
 * place of one that is stuck in the kernel. */
Command *command_new_substitute(const Command *command);

/* Fills the header from the reply, and says how many bytes of header and data
 * go over the wire. */
size_t command_pack(Command *command);

/* Answers as `from` was answered, which carried the same request. */
void command_take_answer(Command *command, const Command *from);

/* Answers with CHECK CONDITION and the sense data of `failure`, which is not
 * FAILURE_NONE; `reason` is for the log (printf format, cut to
 * COMMAND_REASON_SIZE). */
void command_refuse(Command *command, Failure failure, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));

/* Answers with what the device said. `transferred` is the number of bytes of
 * `data` that it filled; only an IN that ended GOOD has a payload, and it is
 * cut to the allocation length. Sense data is copied for any status; CHECK
 * CONDITION without sense data becomes NO SENSE, so that the client always
 * finds well-formed bytes. sense_length <= WIRE_SENSE_SIZE. */
void command_answer(Command *command, uint8_t status, const uint8_t *sense,
		    size_t sense_length, size_t transferred);

#endif
