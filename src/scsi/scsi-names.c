/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard's names of commands, service actions, types, status and sense
 * codes, for logs and for people. The hard rule: a name is never NULL.
 */
#include "scsi/scsi.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static const char *scsi_name_of(const char *const *names, size_t count,
				size_t index, const char *fallback)
{
	return index < count && names[index] ? names[index] : fallback;
}

const char *scsi_opcode_name(uint8_t opcode)
{
	switch (opcode) {
	case SCSI_PERSISTENT_RESERVE_IN:
		return "PERSISTENT RESERVE IN";
	case SCSI_PERSISTENT_RESERVE_OUT:
		return "PERSISTENT RESERVE OUT";
	default:
		return "unknown";
	}
}

static const char *const in_names[] = {
	[SCSI_PR_IN_READ_KEYS] = "READ KEYS",
	[SCSI_PR_IN_READ_RESERVATION] = "READ RESERVATION",
	[SCSI_PR_IN_REPORT_CAPABILITIES] = "REPORT CAPABILITIES",
	[SCSI_PR_IN_READ_FULL_STATUS] = "READ FULL STATUS",
};

static const char *const out_names[] = {
	[SCSI_PR_OUT_REGISTER] = "REGISTER",
	[SCSI_PR_OUT_RESERVE] = "RESERVE",
	[SCSI_PR_OUT_RELEASE] = "RELEASE",
	[SCSI_PR_OUT_CLEAR] = "CLEAR",
	[SCSI_PR_OUT_PREEMPT] = "PREEMPT",
	[SCSI_PR_OUT_PREEMPT_AND_ABORT] = "PREEMPT AND ABORT",
	[SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY] =
		"REGISTER AND IGNORE EXISTING KEY",
	[SCSI_PR_OUT_REGISTER_AND_MOVE] = "REGISTER AND MOVE",
	[SCSI_PR_OUT_REPLACE_LOST_RESERVATION] = "REPLACE LOST RESERVATION",
};

const char *scsi_service_action_name(uint8_t opcode, uint8_t service_action)
{
	if (opcode == SCSI_PERSISTENT_RESERVE_IN)
		return scsi_name_of(in_names, ELEMENTS(in_names),
				    service_action, "reserved");
	return scsi_name_of(out_names, ELEMENTS(out_names), service_action,
			    "reserved");
}

static const char *const type_names[] = {
	[SCSI_PR_WRITE_EXCLUSIVE] = "Write Exclusive",
	[SCSI_PR_EXCLUSIVE_ACCESS] = "Exclusive Access",
	[SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY] =
		"Write Exclusive - Registrants Only",
	[SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY] =
		"Exclusive Access - Registrants Only",
	[SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS] =
		"Write Exclusive - All Registrants",
	[SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS] =
		"Exclusive Access - All Registrants",
};

const char *scsi_pr_type_name(uint8_t type)
{
	return scsi_name_of(type_names, ELEMENTS(type_names), type, "reserved");
}

const char *scsi_status_name(uint8_t status)
{
	switch (status) {
	case SCSI_GOOD:
		return "GOOD";
	case SCSI_CHECK_CONDITION:
		return "CHECK CONDITION";
	case 0x04:
		return "CONDITION MET";
	case SCSI_BUSY:
		return "BUSY";
	case SCSI_RESERVATION_CONFLICT:
		return "RESERVATION CONFLICT";
	case SCSI_TASK_SET_FULL:
		return "TASK SET FULL";
	case 0x30:
		return "ACA ACTIVE";
	case SCSI_TASK_ABORTED:
		return "TASK ABORTED";
	default:
		return "unknown";
	}
}

static const char *const sense_key_names[] = {
	"NO SENSE",        "RECOVERED ERROR", "NOT READY",
	"MEDIUM ERROR",    "HARDWARE ERROR",  "ILLEGAL REQUEST",
	"UNIT ATTENTION",  "DATA PROTECT",    "BLANK CHECK",
	"VENDOR SPECIFIC", "COPY ABORTED",    "ABORTED COMMAND",
	"reserved",        "VOLUME OVERFLOW", "MISCOMPARE",
	"COMPLETED",
};

const char *scsi_sense_key_name(uint8_t key)
{
	return scsi_name_of(sense_key_names, ELEMENTS(sense_key_names), key,
			    "unknown");
}

/* The codes that reservations, transports and this helper produce; the
 * standard's list has hundreds more, which stay numbers. */
static const struct {
	uint8_t asc, ascq;
	const char *text;
} sense_codes[] = {
	{ 0x00, 0x00, "NO ADDITIONAL SENSE INFORMATION" },
	{ 0x00, 0x06, "I/O PROCESS TERMINATED" },
	{ 0x04, 0x00, "LOGICAL UNIT NOT READY, CAUSE NOT REPORTABLE" },
	{ 0x04, 0x01, "LOGICAL UNIT IS IN PROCESS OF BECOMING READY" },
	{ 0x04, 0x0a,
	  "LOGICAL UNIT NOT ACCESSIBLE, ASYMMETRIC ACCESS STATE "
	  "TRANSITION" },
	{ 0x04, 0x0b,
	  "LOGICAL UNIT NOT ACCESSIBLE, TARGET PORT IN STANDBY "
	  "STATE" },
	{ 0x04, 0x0c,
	  "LOGICAL UNIT NOT ACCESSIBLE, TARGET PORT IN "
	  "UNAVAILABLE STATE" },
	{ 0x05, 0x00, "LOGICAL UNIT DOES NOT RESPOND TO SELECTION" },
	{ 0x08, 0x00, "LOGICAL UNIT COMMUNICATION FAILURE" },
	{ 0x08, 0x01, "LOGICAL UNIT COMMUNICATION TIME-OUT" },
	{ 0x1a, 0x00, "PARAMETER LIST LENGTH ERROR" },
	{ 0x20, 0x00, "INVALID COMMAND OPERATION CODE" },
	{ 0x24, 0x00, "INVALID FIELD IN CDB" },
	{ 0x25, 0x00, "LOGICAL UNIT NOT SUPPORTED" },
	{ 0x26, 0x00, "INVALID FIELD IN PARAMETER LIST" },
	{ 0x26, 0x04, "INVALID RELEASE OF PERSISTENT RESERVATION" },
	{ 0x29, 0x00, "POWER ON, RESET, OR BUS DEVICE RESET OCCURRED" },
	{ 0x29, 0x01, "POWER ON OCCURRED" },
	{ 0x29, 0x02, "SCSI BUS RESET OCCURRED" },
	{ 0x29, 0x03, "BUS DEVICE RESET FUNCTION OCCURRED" },
	{ 0x29, 0x07, "I_T NEXUS LOSS OCCURRED" },
	{ 0x2a, 0x03, "RESERVATIONS PREEMPTED" },
	{ 0x2a, 0x04, "RESERVATIONS RELEASED" },
	{ 0x2a, 0x05, "REGISTRATIONS PREEMPTED" },
	{ 0x2a, 0x06, "ASYMMETRIC ACCESS STATE CHANGED" },
	{ 0x2c, 0x00, "COMMAND SEQUENCE ERROR" },
	{ 0x2e, 0x01, "COMMAND TIMEOUT BEFORE PROCESSING" },
	{ 0x2e, 0x02, "COMMAND TIMEOUT DURING PROCESSING" },
	{ 0x2f, 0x00, "COMMANDS CLEARED BY ANOTHER INITIATOR" },
	{ 0x3a, 0x00, "MEDIUM NOT PRESENT" },
	{ 0x3f, 0x0e, "REPORTED LUNS DATA HAS CHANGED" },
	{ 0x44, 0x00, "INTERNAL TARGET FAILURE" },
	{ 0x47, 0x00, "SCSI PARITY ERROR" },
	{ 0x55, 0x02, "INSUFFICIENT RESERVATION RESOURCES" },
	{ 0x55, 0x03, "INSUFFICIENT RESOURCES" },
	{ 0x55, 0x04, "INSUFFICIENT REGISTRATION RESOURCES" },
};

const char *scsi_sense_code_text(uint8_t asc, uint8_t ascq)
{
	for (size_t i = 0; i < ELEMENTS(sense_codes); i++)
		if (sense_codes[i].asc == asc && sense_codes[i].ascq == ascq)
			return sense_codes[i].text;
	return "";
}
