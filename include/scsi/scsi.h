/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI that a persistent reservation helper has to know: the two commands
 * (SPC-4 6.15 and 6.16), the parameter list, sense data (SPC-4 4.5) and the
 * standard's names for all of these. Pure: no I/O, no allocation, no state.
 */
#ifndef SCSI_H
#define SCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Operation codes, and the length of their CDBs (the wire pads to 16). */
enum {
	SCSI_PERSISTENT_RESERVE_IN = 0x5e,
	SCSI_PERSISTENT_RESERVE_OUT = 0x5f,
};
#define SCSI_PR_CDB_LENGTH 10

/* Status codes, SAM-5 5.3.1. */
enum {
	SCSI_GOOD = 0x00,
	SCSI_CHECK_CONDITION = 0x02,
	SCSI_CONDITION_MET = 0x04,
	SCSI_BUSY = 0x08,
	SCSI_RESERVATION_CONFLICT = 0x18,
	SCSI_TASK_SET_FULL = 0x28,
	SCSI_ACA_ACTIVE = 0x30,
	SCSI_TASK_ABORTED = 0x40,
};

/* PERSISTENT RESERVE IN service actions, SPC-4 6.15.1. */
enum {
	SCSI_PR_IN_READ_KEYS = 0x00,
	SCSI_PR_IN_READ_RESERVATION = 0x01,
	SCSI_PR_IN_REPORT_CAPABILITIES = 0x02,
	SCSI_PR_IN_READ_FULL_STATUS = 0x03,
};

/* PERSISTENT RESERVE OUT service actions, SPC-4 6.16.2. */
enum {
	SCSI_PR_OUT_REGISTER = 0x00,
	SCSI_PR_OUT_RESERVE = 0x01,
	SCSI_PR_OUT_RELEASE = 0x02,
	SCSI_PR_OUT_CLEAR = 0x03,
	SCSI_PR_OUT_PREEMPT = 0x04,
	SCSI_PR_OUT_PREEMPT_AND_ABORT = 0x05,
	SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY = 0x06,
	SCSI_PR_OUT_REGISTER_AND_MOVE = 0x07,
	SCSI_PR_OUT_REPLACE_LOST_RESERVATION = 0x08,
};

/* Reservation types, SPC-4 6.15.3.4. */
enum {
	SCSI_PR_WRITE_EXCLUSIVE = 0x1,
	SCSI_PR_EXCLUSIVE_ACCESS = 0x3,
	SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 0x5,
	SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 0x6,
	SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS = 0x7,
	SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 0x8,
};

/* The fields of either command's CDB. */
typedef struct ScsiPrCdb {
	uint8_t opcode;
	uint8_t service_action; /* 5 bits */
	uint8_t scope;          /* 4 bits; OUT only */
	uint8_t type;           /* 4 bits; OUT only */
	uint32_t length; /* IN: ALLOCATION LENGTH, bytes 7-8; OUT: PARAMETER
			    LIST LENGTH, bytes 5-8 */
} ScsiPrCdb;

/* Decodes a CDB of at least SCSI_PR_CDB_LENGTH bytes. False, and *ret_cdb
 * untouched, where it is neither of the two commands. */
bool scsi_pr_cdb_get(const uint8_t *cdb, ScsiPrCdb *ret_cdb);

/* The parameter list of PERSISTENT RESERVE OUT, SPC-4 6.16.3 (24 bytes) and
 * 6.16.4 (REGISTER AND MOVE). */
#define SCSI_PR_PARAMETERS_LENGTH 24

typedef struct ScsiPrParameters {
	uint64_t reservation_key;
	uint64_t service_action_key; /* SERVICE ACTION RESERVATION KEY */
	bool spec_i_pt, all_tg_pt, aptpl, unreg;
} ScsiPrParameters;

/* Decodes a parameter list. False, and *ret_parameters untouched, where it is
 * shorter than the keys and flags that it should hold. */
bool scsi_pr_parameters_get(uint8_t service_action, const uint8_t *list,
			    size_t length, ScsiPrParameters *ret_parameters);

/* What READ RESERVATION returns, SPC-4 6.15.3: 8 bytes without a reservation,
 * else 24. */
#define SCSI_PR_RESERVATION_LENGTH 24

typedef struct ScsiPrReservation {
	bool held;
	uint64_t key; /* 0 with the "all registrants" types */
	uint8_t scope, type;
} ScsiPrReservation;

/* False, and *ret_reservation untouched, where it is cut off. */
bool scsi_pr_reservation_get(const uint8_t *payload, size_t size,
			     ScsiPrReservation *ret_reservation);

/* Sense data, SPC-4 4.5. */
enum {
	SCSI_SENSE_NO_SENSE = 0x0,
	SCSI_SENSE_NOT_READY = 0x2,
	SCSI_SENSE_ILLEGAL_REQUEST = 0x5,
	SCSI_SENSE_UNIT_ATTENTION = 0x6,
	SCSI_SENSE_ABORTED_COMMAND = 0xb,
};
#define SCSI_SENSE_FIXED_LENGTH 18

typedef struct ScsiSense {
	uint8_t key;  /* SENSE KEY */
	uint8_t asc;  /* ADDITIONAL SENSE CODE */
	uint8_t ascq; /* ADDITIONAL SENSE CODE QUALIFIER */
} ScsiSense;

/* Writes fixed format sense data (response code 70h) of
 * SCSI_SENSE_FIXED_LENGTH bytes and zeroes the rest of `size` bytes, which
 * must hold at least that many. */
void scsi_sense_put(uint8_t *ret_bytes, size_t size, ScsiSense sense);

/* Reads fixed (70h, 71h) or descriptor (72h, 73h) format. False, and
 * *ret_sense untouched, where the bytes are not sense data. */
bool scsi_sense_get(const uint8_t *bytes, size_t size, ScsiSense *ret_sense);

/* Names, as the standard writes them. Static strings, never NULL; what has no
 * name is "reserved" or "unknown" so that the number has to stand beside it.
 */
const char *scsi_opcode_name(uint8_t opcode);
const char *scsi_service_action_name(uint8_t opcode, uint8_t service_action);
const char *scsi_pr_type_name(uint8_t type);
const char *scsi_status_name(uint8_t status);
const char *scsi_sense_key_name(uint8_t key);
/* The text of an additional sense code, "" where this table lacks it. */
const char *scsi_sense_code_text(uint8_t asc, uint8_t ascq);

#endif
