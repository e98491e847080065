/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy over tables of scenarios: what the paths and multipathd are like,
 * what the guest sends, and then who was asked what in which order, what the
 * guest hears, and what is left on the unit.
 */
#include "multipath-model.h"

#define K  0x111 /* our key */
#define K2 0x222 /* our next one */
#define KO 0x999 /* the other host's */

#define WERO SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY
#define WEAR SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS

#define REGISTER SCSI_PR_OUT_REGISTER
#define IGNORE   SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY
#define RESERVE  SCSI_PR_OUT_RESERVE
#define RELEASE  SCSI_PR_OUT_RELEASE
#define CLEAR    SCSI_PR_OUT_CLEAR
#define PREEMPT  SCSI_PR_OUT_PREEMPT

#define CONFLICT SCSI_RESERVATION_CONFLICT
#define CHECK    SCSI_CHECK_CONDITION

#define NOBODY   0
#define BY_A     1
#define BY_B     2
#define BY_C     3 /* a path of ours that has left the map */
#define BY_OTHER (OTHER + 1)

#define UNKNOWN                 \
	{                       \
		0xb, 0x2e, 0x02 \
	}
#define NO_PATH                 \
	{                       \
		0xb, 0x05, 0x00 \
	}
#define ATTENTION               \
	{                       \
		0x6, 0x2a, 0x03 \
	}

/* What a device and multipathd are like, before or after. */
typedef struct State {
	uint64_t key[NEXUSES];
	unsigned int holder; /* BY_A, ... */
	uint64_t stored;     /* with multipathd */
	bool status;
	uint64_t record; /* the key that our record says we hold with */
} State;

typedef struct Scenario {
	const char *name;
	State before;
	PathState path[OURS];
	bool attention[NEXUSES];
	unsigned int n_paths, later_paths;
	MultipathdResult multipathd, refuses[MULTIPATHD_VERB_COUNT];
	bool knows_hold, hold;
	uint8_t held_type; /* 0: the command's */
	bool loses_race;   /* to the other host, before a PREEMPT of ours */
	int mute;          /* as in Model */
	bool revives, no_preempt, many_keys;
	const char *late_after, *fenced_after;

	uint8_t action, type;
	uint64_t rk, sark;
	uint8_t flags; /* byte 20: APTPL 1, ALL_TG_PT 4, SPEC_I_PT 8 */

	const char *trace;
	uint8_t status;
	ScsiSense sense;
	State after;
	const char *warning; /* a part of it; NULL: none */
} Scenario;

#define REGISTERED                                           \
	{                                                    \
		.key = { K, K }, .stored = K, .status = true \
	}
#define RESERVED_BY_A                                                \
	{                                                            \
		.key = { K, K, 0, KO }, .holder = BY_A, .stored = K, \
		.status = true, .record = K                          \
	}
/* Paths that stay away are deleted in the end; the device knows the nexus yet.
 */
#define RESERVED_BY_LEFT                                             \
	{                                                            \
		.key = { K, K, K, KO }, .holder = BY_C, .stored = K, \
		.status = true, .record = K                          \
	}
#define RESERVED_BY_OTHER                                                \
	{                                                                \
		.key = { K, K, 0, KO }, .holder = BY_OTHER, .stored = K, \
		.status = true                                           \
	}

static const Scenario register_scenarios[] = {
	{ .name = "both paths",
	  .action = REGISTER,
	  .sark = K,
	  .flags = 1,
	  .trace = "get set(111,aptpl) a:register b:register on",
	  .after = REGISTERED },
	{ .name = "the first speaks",
	  .action = REGISTER,
	  .sark = K,
	  .attention = { true, true },
	  .trace = "get set(111) a:register unset",
	  .status = CHECK,
	  .sense = ATTENTION },
	{ .name = "the second is asked again",
	  .action = REGISTER,
	  .sark = K,
	  .attention = { false, true },
	  .trace = "get set(111) a:register b:register b:register on",
	  .after = REGISTERED },
	{ .name = "the first that answers speaks",
	  .action = REGISTER,
	  .sark = K,
	  .path = { DEAD },
	  .attention = { false, true },
	  .trace = "get set(111) a:register b:register unset",
	  .status = CHECK,
	  .sense = ATTENTION },
	{ .name = "one path is offline",
	  .action = REGISTER,
	  .sark = K,
	  .path = { OFFLINE },
	  .trace = "get set(111) b:register on",
	  .after = { .key = { 0, K }, .stored = K, .status = true },
	  .warning = "(path a is not running)" },
	{ .name = "one path is dead",
	  .action = REGISTER,
	  .sark = K,
	  .path = { ALIVE, DEAD },
	  .trace = "get set(111) a:register b:register on a:keys b:ignore",
	  .after = { .key = { K }, .stored = K, .status = true },
	  .warning = "(path b is dead)" },
	{ .name = "all paths are dead",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .path = { DEAD, OFFLINE },
	  .trace = "get set(222) a:register set(111)",
	  .status = CHECK,
	  .sense = NO_PATH,
	  .after = REGISTERED },
	{ .name = "no path at all",
	  .n_paths = (unsigned int)-2,
	  .action = REGISTER,
	  .sark = K,
	  .trace = "get set(111) unset",
	  .status = CHECK,
	  .sense = NO_PATH },
	{ .name = "wrong key",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = KO,
	  .sark = K2,
	  .trace = "get set(222) a:register b:register set(111)",
	  .status = CONFLICT,
	  .after = REGISTERED },
	{ .name = "a path has been forgotten",
	  .before = { .key = { 0, K }, .stored = K, .status = true },
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .trace =
		  "get set(222) a:register b:register b:keys a:ignore on hold?",
	  .after = { .key = { K2, K2 }, .stored = K2, .status = true } },
	{ .name = "the device refuses on one",
	  .action = REGISTER,
	  .sark = K,
	  .path = { ALIVE, BROKEN },
	  .trace = "get set(111) a:register b:register on a:keys b:ignore",
	  .after = { .key = { K }, .stored = K, .status = true },
	  .warning = "path b" },
	{ .name = "the device refuses",
	  .action = REGISTER,
	  .sark = K,
	  .path = { BROKEN, ALIVE },
	  .trace = "get set(111) a:register unset",
	  .status = CHECK,
	  .sense = { 5, 0x25, 0 } },
	{ .name = "the answer is lost on all",
	  .action = IGNORE,
	  .sark = K,
	  .path = { MUTE, MUTE },
	  .trace = "get set(111) a:ignore b:ignore unset",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K } } },
	{ .name = "a new key, held through a path",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .trace = "get set(222) a:register b:register on a:read",
	  .after = { .key = { K2, K2, 0, KO },
		     .holder = BY_A,
		     .stored = K2,
		     .status = true,
		     .record = K2 } },
	{ .name = "a new key, held through a dead path",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .path = { OFFLINE },
	  .trace = "get set(222) b:register on b:read b:preempt",
	  .after = { .key = { 0, K2, 0, KO },
		     .holder = BY_B,
		     .stored = K2,
		     .status = true,
		     .record = K2 },
	  .warning = "path a" },
	{ .name = "a new key, held through a path that has left",
	  .before = RESERVED_BY_LEFT,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .trace = "get set(222) a:register b:register on a:read a:preempt",
	  .after = { .key = { K2, K2, 0, KO },
		     .holder = BY_A,
		     .stored = K2,
		     .status = true,
		     .record = K2 } },
	{ .name = "a new key after a restart, held through a dead path",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .knows_hold = true,
	  .hold = true,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .path = { OFFLINE },
	  .trace = "get set(222) b:register on hold? b:read b:preempt",
	  .after = { .key = { 0, K2, 0, KO },
		     .holder = BY_B,
		     .stored = K2,
		     .status = true,
		     .record = K2 },
	  .warning = "path a" },
	{ .name = "a new key, and another host holds by now",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_OTHER,
		      .stored = K,
		      .status = true,
		      .record = K },
	  .action = IGNORE,
	  .sark = K2,
	  .path = { OFFLINE },
	  .trace = "get set(222) b:ignore on b:read",
	  .after = { .key = { K, K2, 0, KO },
		     .holder = BY_OTHER,
		     .stored = K2,
		     .status = true },
	  .warning = "path a" },
	/* multipathd did not know yet that it has to register it. */
	{ .name = "a path comes back meanwhile",
	  .action = REGISTER,
	  .sark = K,
	  .path = { OFFLINE },
	  .revives = true,
	  .trace = "get set(111) b:register on b:keys a:ignore",
	  .after = REGISTERED },
	{ .name = "another host preempts us before the last one",
	  .before = { .key = { 0, 0, 0, KO } },
	  .action = REGISTER,
	  .sark = K,
	  .path = { DEAD },
	  .fenced_after = "register",
	  .trace = "get set(111) a:register b:register on b:keys",
	  .after = { .key = { 0, 0, 0, KO },
		     .holder = BY_OTHER,
		     .stored = K,
		     .status = true },
	  .warning = "another host has preempted" },
	{ .name = "more keys than can be read",
	  .before = { .key = { 0, 0, 0, KO } },
	  .action = REGISTER,
	  .sark = K,
	  .path = { DEAD },
	  .fenced_after = "register",
	  .many_keys = true,
	  .trace = "get set(111) a:register b:register on b:keys a:ignore",
	  .after = { .key = { 0, 0, 0, KO },
		     .holder = BY_OTHER,
		     .stored = K,
		     .status = true },
	  .warning = "(path a is dead)" },
	{ .name = "the map goes meanwhile",
	  .later_paths = (unsigned int)-1,
	  .action = REGISTER,
	  .sark = K,
	  .path = { ALIVE, DEAD },
	  .trace = "get set(111) a:register b:register on",
	  .after = { .key = { K }, .stored = K, .status = true },
	  .warning = "path b could not be registered (path b is dead)" },
	{ .name = "an answer is lost on one",
	  .action = REGISTER,
	  .sark = K,
	  .path = { ALIVE, MUTE },
	  .trace = "get set(111) a:register b:register on",
	  .after = REGISTERED,
	  .warning = "path b could not be registered (no answer)" },
	{ .name = "a new key, and the reservation cannot be moved",
	  .before = RESERVED_BY_LEFT,
	  .no_preempt = true,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .trace = "get set(222) a:register b:register on a:read a:preempt",
	  .after = { .key = { K2, K2, K, KO },
		     .holder = BY_C,
		     .stored = K2,
		     .status = true,
		     .record = K } },
	{ .name = "multipathd takes the key, and does not say so",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .mute = MULTIPATHD_SET_KEY + 1,
	  .trace = "get set(222) set(111)",
	  .status = CHECK,
	  .sense = { 0xb, 0x55, 0x03 },
	  .after = REGISTERED },
	{ .name = "a path joins meanwhile",
	  .later_paths = 3,
	  .action = IGNORE,
	  .sark = K,
	  .trace = "get set(111) a:ignore b:ignore on a:keys c:ignore",
	  .after = { .key = { K, K, K }, .stored = K, .status = true } },
	{ .name = "ALL_TG_PT: one path per host",
	  .n_paths = 3,
	  .action = REGISTER,
	  .sark = K,
	  .flags = 4,
	  .trace = "get set(111) a:register c:register on",
	  .after = { .key = { K, 0, K }, .stored = K, .status = true } },
	{ .name = "SPEC_I_PT: once",
	  .action = REGISTER,
	  .sark = K,
	  .flags = 8,
	  .trace = "get set(111) a:register b:ignore on",
	  .after = REGISTERED },
	{ .name = "multipathd is absent",
	  .action = REGISTER,
	  .sark = K,
	  .multipathd = MULTIPATHD_ABSENT,
	  .trace = "get",
	  .status = CHECK,
	  .sense = { 0xb, 0x55, 0x03 } },
	{ .name = "multipathd may have been asked for the key",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = K,
	  .sark = K2,
	  .refuses = { [MULTIPATHD_SET_KEY] = MULTIPATHD_UNASKED },
	  .trace = "get set(222) set(111)",
	  .status = CHECK,
	  .sense = { 0xb, 0x55, 0x03 },
	  .after = REGISTERED,
	  .warning = "old key" },
	{ .name = "multipathd does not know the map",
	  .action = REGISTER,
	  .sark = K,
	  .multipathd = MULTIPATHD_FAILED,
	  .trace = "get",
	  .status = CHECK,
	  .sense = { 5, 0x20, 0 } },
	{ .name = "no reservation_key file",
	  .action = REGISTER,
	  .sark = K,
	  .refuses = { [MULTIPATHD_SET_KEY] = MULTIPATHD_FAILED },
	  .trace = "get set(111)",
	  .status = CHECK,
	  .sense = { 5, 0x20, 0 } },
	{ .name = "the old key cannot be put back",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = KO,
	  .refuses = { [MULTIPATHD_SET_KEY] = MULTIPATHD_SILENT },
	  .trace = "get hold? off unset a:register b:register set(111) on",
	  .status = CONFLICT,
	  .after = { .key = { K, K }, .status = true },
	  .warning = "old key" },
};

static const Scenario unregister_scenarios[] = {
	{ .name = "both paths",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = K,
	  .trace = "get hold? off unset a:register b:register" },
	{ .name = "the holder",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .trace = "get off unset a:register b:register a:read",
	  .after = { .key = { 0, 0, 0, KO } } },
	{ .name = "the holder's path is dead",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace =
		  "get off unset b:register b:read b:ignore b:preempt b:ignore",
	  .after = { .key = { 0, 0, 0, KO } },
	  .warning = "path a" },
	{ .name = "the holder's path has left the map",
	  .before = RESERVED_BY_LEFT,
	  .action = REGISTER,
	  .rk = K,
	  .trace = "get off unset a:register b:register a:read a:ignore "
		   "a:preempt a:ignore",
	  .after = { .key = { 0, 0, 0, KO } } },
	{ .name = "after a restart, the holder's path is dead",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .knows_hold = true,
	  .hold = true,
	  .action = IGNORE,
	  .path = { OFFLINE },
	  .trace = "get hold? off unset b:ignore b:read b:ignore b:preempt "
		   "b:ignore",
	  .after = { .key = { 0, 0, 0, KO } },
	  .warning = "path a" },
	{ .name = "another host holds, and a path is dead",
	  .before = RESERVED_BY_OTHER,
	  .action = IGNORE,
	  .path = { OFFLINE },
	  .trace = "get hold? off unset b:ignore",
	  .after = { .key = { K, 0, 0, KO }, .holder = BY_OTHER },
	  .warning = "path a" },
	{ .name = "wrong key",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = KO,
	  .trace = "get off unset a:register b:register "
		   "set(111) on",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	{ .name = "all paths are dead",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .path = { DEAD, OFFLINE },
	  .trace = "get off unset a:register set(111) on",
	  .status = CHECK,
	  .sense = NO_PATH,
	  .after = RESERVED_BY_A },
	{ .name = "the first speaks, and nothing was done",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .attention = { true },
	  .trace = "get off unset a:register set(111) on",
	  .status = CHECK,
	  .sense = ATTENTION,
	  .after = RESERVED_BY_A },
	{
		.name = "a path with an older key",
		.before = { .key = { K2, K }, .stored = K, .status = true },
		.action = REGISTER,
		.rk = K,
		.trace = "get hold? off unset a:register b:register a:ignore",
	},
	{ .name = "multipathd is absent",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = K,
	  .multipathd = MULTIPATHD_ABSENT,
	  .trace = "get",
	  .status = CHECK,
	  .sense = { 0xb, 0x55, 0x03 },
	  .after = REGISTERED },
	{ .name = "multipathd unsets the status, and does not say so",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .mute = MULTIPATHD_UNSET_STATUS + 1,
	  .trace = "get off set(111) on",
	  .status = CHECK,
	  .sense = { 0xb, 0x55, 0x03 },
	  .after = RESERVED_BY_A },
	{ .name = "multipathd forgets the key, and does not say so",
	  .before = RESERVED_BY_A,
	  .action = REGISTER,
	  .rk = K,
	  .mute = MULTIPATHD_UNSET_KEY + 1,
	  .trace = "get off unset set(111) on",
	  .status = CHECK,
	  .sense = { 0xb, 0x55, 0x03 },
	  .after = RESERVED_BY_A },
	{ .name = "multipathd keeps the key",
	  .before = REGISTERED,
	  .action = REGISTER,
	  .rk = K,
	  .refuses = { [MULTIPATHD_UNSET_KEY] = MULTIPATHD_FAILED },
	  .trace = "get hold? off unset on",
	  .status = CHECK,
	  .sense = { 5, 0x20, 0 },
	  .after = REGISTERED },
};

static const Scenario reserve_scenarios[] = {
	{ .name = "one path is enough",
	  .before = REGISTERED,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:reserve hold",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "the first path is dead",
	  .before = REGISTERED,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .path = { DEAD },
	  .trace = "a:reserve b:reserve hold",
	  .after = { .key = { K, K },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "the first path is not registered",
	  .before = { .key = { 0, K }, .stored = K, .status = true },
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:reserve b:reserve hold",
	  .after = { .key = { 0, K },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "another host holds",
	  .before = RESERVED_BY_OTHER,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:reserve b:reserve a:read",
	  .status = CONFLICT,
	  .after = RESERVED_BY_OTHER },
	{ .name = "we hold already, through another path",
	  .before = { .key = { K, K },
		      .holder = BY_B,
		      .stored = K,
		      .status = true,
		      .record = K },
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:reserve b:reserve hold",
	  .after = { .key = { K, K },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "we hold already, through a dead path",
	  .before = RESERVED_BY_A,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:reserve b:read get b:preempt hold",
	  .after = { .key = { 0, K, 0, KO },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "we hold already, through a path that has left",
	  .before = RESERVED_BY_LEFT,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:reserve b:reserve a:read get a:preempt a:keys b:ignore "
		   "b:ignore hold",
	  .after = RESERVED_BY_A },
	{ .name = "held by our key, but not known to be ours",
	  .before = { .key = { K, K },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:reserve b:read hold?",
	  .status = CONFLICT,
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "the answer is lost, then a conflict",
	  .before = REGISTERED,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .path = { MUTE },
	  .trace = "a:reserve b:reserve",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "not ready is no answer",
	  .before = REGISTERED,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .path = { NOT_READY, NOT_READY },
	  .trace = "a:reserve b:reserve",
	  .status = CHECK,
	  .sense = { SCSI_SENSE_NOT_READY, 4, 0 },
	  .after = REGISTERED },
	{ .name = "a unit attention is the guest's",
	  .before = REGISTERED,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .attention = { true, true },
	  .trace = "a:reserve",
	  .status = CHECK,
	  .sense = ATTENTION,
	  .after = REGISTERED },
	{ .name = "multipathd is not needed",
	  .before = REGISTERED,
	  .action = RESERVE,
	  .type = WERO,
	  .rk = K,
	  .multipathd = MULTIPATHD_ABSENT,
	  .trace = "a:reserve hold",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K } },
};

static const Scenario release_scenarios[] = {
	{ .name = "down every path",
	  .before = RESERVED_BY_A,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release b:release a:read unhold",
	  .after = { .key = { K, K, 0, KO }, .stored = K, .status = true } },
	{ .name = "by a non-holder",
	  .before = RESERVED_BY_OTHER,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release a:read unhold",
	  .after = RESERVED_BY_OTHER },
	{ .name = "by a non-holder with a dead path",
	  .before = RESERVED_BY_OTHER,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read unhold",
	  .after = RESERVED_BY_OTHER },
	{ .name = "the holder's path is dead",
	  .before = RESERVED_BY_A,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { DEAD },
	  .trace = "a:release b:release b:read get b:preempt b:keys a:ignore "
		   "b:release unhold",
	  .after = { .key = { 0, K, 0, KO }, .stored = K, .status = true },
	  .warning = "path a" },
	{ .name = "the holder's path is dead, of three",
	  .n_paths = 3,
	  .before = { .key = { K, K, K, KO },
		      .holder = BY_A,
		      .stored = K,
		      .status = true,
		      .record = K },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release c:release b:read get b:preempt b:keys c:ignore "
		   "c:ignore "
		   "b:release unhold",
	  .after = { .key = { 0, K, K, KO }, .stored = K, .status = true } },
	{ .name = "the holder's path has left the map",
	  .before = RESERVED_BY_LEFT,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release a:read get a:preempt a:keys b:ignore "
		   "b:ignore a:release unhold",
	  .after = { .key = { K, K, 0, KO }, .stored = K, .status = true } },
	{ .name = "held through a path that has left, and not known to be ours",
	  .before = { .key = { K, K, K },
		      .holder = BY_C,
		      .stored = K,
		      .status = true },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release a:read hold?",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K, K },
		     .holder = BY_C,
		     .stored = K,
		     .status = true } },
	{ .name = "after a restart, another type than multipathd's hold",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .held_type = SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
	  .knows_hold = true,
	  .hold = true,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K, 0, KO },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "held by an older key, and not known to the guest",
	  .before = { .key = { K2, K2, K, KO },
		      .holder = BY_C,
		      .stored = K2,
		      .status = true,
		      .record = K },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K2,
	  .trace = "a:release b:release a:read",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K2, K2, K, KO },
		     .holder = BY_C,
		     .stored = K2,
		     .status = true,
		     .record = K } },
	/* What our own preemption took out has to be registered again. */
	{ .name = "another host preempts us in the middle",
	  .before = RESERVED_BY_LEFT,
	  .fenced_after = "preempt",
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release a:read get a:preempt a:keys "
		   "a:release",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { 0, 0, 0, KO },
		     .holder = BY_OTHER,
		     .stored = K,
		     .status = true,
		     .record = K },
	  .warning = "another host has preempted" },
	{ .name = "the deadline passes in the middle",
	  .before = RESERVED_BY_LEFT,
	  .late_after = "preempt",
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release a:read get a:preempt a:keys b:ignore "
		   "b:ignore",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = RESERVED_BY_A },
	{ .name = "after a restart, known to multipathd",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .knows_hold = true,
	  .hold = true,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read hold? get get b:preempt b:release unhold",
	  .after = { .key = { 0, K, 0, KO }, .stored = K, .status = true } },
	{ .name = "after a restart, not known",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read hold?",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K, 0, KO },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "after a restart, multipathd says that we do not",
	  .before = { .key = { K, K },
		      .holder = BY_A,
		      .stored = K,
		      .status = true },
	  .knows_hold = true,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read hold?",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "after a restart, multipathd has another key",
	  .before = { .key = { K, K },
		      .holder = BY_A,
		      .stored = K2,
		      .status = true },
	  .knows_hold = true,
	  .hold = true,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read hold? get",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K2,
		     .status = true } },
	{ .name = "our record names another key",
	  .before = { .key = { K, K },
		      .holder = BY_A,
		      .stored = K,
		      .status = true,
		      .record = K2 },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K2 } },
	{ .name = "the holder's path says conflict for a wrong type",
	  .before = RESERVED_BY_A,
	  .held_type = SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release b:read",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	{ .name = "a path has been forgotten",
	  .before = { .key = { K },
		      .holder = BY_A,
		      .stored = K,
		      .status = true,
		      .record = K },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .trace = "a:release b:release a:read unhold",
	  .after = { .key = { K }, .stored = K, .status = true } },
	{ .name = "another type than we hold",
	  .before = RESERVED_BY_A,
	  .held_type = SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = RESERVED_BY_A },
	{ .name = "another host preempts us meanwhile",
	  .before = RESERVED_BY_A,
	  .loses_race = true,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read get b:preempt",
	  .status = CHECK,
	  .sense = UNKNOWN,
	  .after = { .key = { 0, 0, 0, KO },
		     .holder = BY_OTHER,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "wrong key",
	  .before = RESERVED_BY_A,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K2,
	  .trace = "a:release b:release",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	{ .name = "a refusal by any path counts",
	  .before = { .key = { K, K },
		      .holder = BY_B,
		      .stored = K,
		      .status = true,
		      .record = K },
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { ALIVE, BROKEN },
	  .trace = "a:release b:release",
	  .status = CHECK,
	  .sense = { 5, 0x25, 0 },
	  .after = { .key = { K, K },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "all paths are dead",
	  .before = RESERVED_BY_A,
	  .action = RELEASE,
	  .type = WERO,
	  .rk = K,
	  .path = { DEAD, DEAD },
	  .trace = "a:release b:release",
	  .status = CHECK,
	  .sense = NO_PATH,
	  .after = RESERVED_BY_A },
	{ .name = "all registrants: any path can",
	  .before = { .key = { K, K },
		      .holder = BY_A,
		      .stored = K,
		      .status = true,
		      .record = K },
	  .action = RELEASE,
	  .type = WEAR,
	  .rk = K,
	  .path = { OFFLINE },
	  .trace = "b:release b:read unhold",
	  .after = { .key = { K, K }, .stored = K, .status = true } },
};

static const Scenario other_scenarios[] = {
	{ .name = "CLEAR",
	  .before = RESERVED_BY_A,
	  .action = CLEAR,
	  .rk = K,
	  .trace = "a:clear off unset" },
	{ .name = "CLEAR with a wrong key",
	  .before = RESERVED_BY_A,
	  .action = CLEAR,
	  .rk = K2,
	  .trace = "a:clear b:clear",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	{ .name = "CLEAR without multipathd",
	  .before = RESERVED_BY_A,
	  .multipathd = MULTIPATHD_ABSENT,
	  .action = CLEAR,
	  .rk = K,
	  .trace = "a:clear off unset",
	  .after = { .stored = K, .status = true },
	  .warning = "multipathd cannot be reached" },
	{ .name = "PREEMPT of another host",
	  .before = RESERVED_BY_OTHER,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .trace = "a:preempt a:read hold",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT down a living path",
	  .before = RESERVED_BY_OTHER,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .path = { DEAD },
	  .trace = "a:preempt b:preempt b:read hold",
	  .after = { .key = { K, K },
		     .holder = BY_B,
		     .stored = K,
		     .status = true,
		     .record = K } },
	{ .name = "PREEMPT of a registration only",
	  .before = { .key = { K, K, 0, KO }, .stored = K, .status = true },
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = KO,
	  .trace = "a:preempt a:read",
	  .after = REGISTERED },
	{ .name = "PREEMPT of ourselves",
	  .before = RESERVED_BY_A,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get a:keys b:ignore b:ignore a:read hold",
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT of ourselves, at the last moment",
	  .before = RESERVED_BY_A,
	  .late_after = "preempt",
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K,
	  .trace = "a:preempt get a:keys b:ignore b:ignore",
	  .after = RESERVED_BY_A },
	{ .name = "PREEMPT of all registrants",
	  .before = { .key = { K, K, 0, KO },
		      .holder = BY_OTHER,
		      .stored = K,
		      .status = true },
	  .action = PREEMPT,
	  .type = WEAR,
	  .rk = K,
	  .trace = "a:preempt get a:keys b:ignore b:ignore a:read",
	  .after = { .key = { K, K },
		     .holder = BY_A,
		     .stored = K,
		     .status = true } },
	{ .name = "PREEMPT of a key that nobody has",
	  .before = RESERVED_BY_A,
	  .action = PREEMPT,
	  .type = WERO,
	  .rk = K,
	  .sark = K2,
	  .trace = "a:preempt b:preempt",
	  .status = CONFLICT,
	  .after = RESERVED_BY_A },
	{ .name = "REGISTER AND MOVE",
	  .before = RESERVED_BY_A,
	  .action = SCSI_PR_OUT_REGISTER_AND_MOVE,
	  .rk = K,
	  .sark = K,
	  .trace = "",
	  .status = CHECK,
	  .sense = { 5, 0x24, 0 },
	  .after = RESERVED_BY_A },
	{ .name = "the map has gone",
	  .n_paths = (unsigned int)-1,
	  .action = RESERVE,
	  .rk = K,
	  .trace = "",
	  .status = CHECK,
	  .sense = { 0xb, 0, 6 } },
};

static Command *command_out(uint8_t action, uint8_t type, uint64_t rk,
			    uint64_t sark, uint8_t flags)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT, action,
				       type };
	Command *command;
	ScsiPrCdb pr;

	be32_put(cdb + 5, SCSI_PR_PARAMETERS_LENGTH);
	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, -1);
	memset(command->data, 0, SCSI_PR_PARAMETERS_LENGTH);
	be64_put(command->data, rk);
	be64_put(command->data + 8, sark);
	command->data[20] = flags;
	return command;
}

static void state_set(Model *m, const State *state, uint8_t type)
{
	memcpy(m->key, state->key, sizeof(m->key));
	m->reserved = state->holder != NOBODY;
	m->holder = m->reserved ? state->holder - 1 : 0;
	m->type = type ? type : WERO;
	m->stored = state->stored;
	m->status = state->status;
	m->record = (Hold) { state->record != 0, state->record, m->type };
}

static void state_assert(const Model *m, const State *state)
{
	for (size_t i = 0; i < NEXUSES; i++)
		g_assert_cmphex(m->key[i], ==, state->key[i]);
	g_assert_cmpuint(m->reserved ? m->holder + 1 : NOBODY, ==,
			 state->holder);
	g_assert_cmphex(m->stored, ==, state->stored);
	g_assert_cmpint(m->status, ==, state->status);
	g_assert_cmphex(m->record.held ? m->record.key : 0, ==, state->record);
}

static void run_scenario(gconstpointer data)
{
	const Scenario *s = data;
	Command *command =
		command_out(s->action, s->type, s->rk, s->sark, s->flags);
	Model m;

	model_init(&m);
	state_set(&m, &s->before, s->held_type ? s->held_type : s->type);
	m.loses_race = s->loses_race;
	m.mute = s->mute;
	m.revives = s->revives;
	m.no_preempt = s->no_preempt;
	m.many_keys = s->many_keys;
	m.late_after = s->late_after;
	m.fenced_after = s->fenced_after;
	memcpy(m.path, s->path, sizeof(m.path));
	memcpy(m.attention, s->attention, sizeof(m.attention));
	if (s->n_paths)
		m.n_paths = s->n_paths == (unsigned int)-2 ? 0 : s->n_paths;
	m.later_paths = s->later_paths;
	m.multipathd = s->multipathd;
	memcpy(m.refuses, s->refuses, sizeof(m.refuses));
	m.has_hold = s->knows_hold;
	m.hold = s->hold;

	model_run(&m, command);
	g_assert_cmpstr(m.trace->str, ==, s->trace);
	g_assert_cmphex(command->reply.status, ==, s->status);
	g_assert_cmpuint(command->reply.size, ==, 0);
	if (s->status == CHECK)
		assert_sense(command->reply.sense, WIRE_SENSE_SIZE, s->sense);
	state_assert(&m, &s->after);
	if (s->warning)
		g_assert_nonnull(strstr(m.warnings->str, s->warning));
	else
		g_assert_cmpstr(m.warnings->str, ==, "");
	command_free(command);
	model_deinit(&m);
}

static Command *command_read(void)
{
	static const uint8_t cdb[WIRE_CDB_SIZE] = {
		SCSI_PERSISTENT_RESERVE_IN,
		SCSI_PR_IN_READ_RESERVATION, [8] = SCSI_PR_RESERVATION_LENGTH
	};
	ScsiPrCdb pr;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	return command_new(cdb, &pr, -1);
}

static void test_in(void)
{
	static const struct {
		PathState path[OURS];
		bool attention;
		const char *trace;
		uint8_t status;
		uint32_t size;
	} cases[] = {
		{ { ALIVE }, false, "a:read", SCSI_GOOD, 24 },
		{ { DEAD }, false, "a:read b:read", SCSI_GOOD, 24 },
		{ { NOT_READY }, false, "a:read b:read", SCSI_GOOD, 24 },
		{ { MUTE }, false, "a:read b:read", SCSI_GOOD, 24 },
		{ { OFFLINE }, false, "b:read", SCSI_GOOD, 24 },
		{ { BROKEN }, false, "a:read", CHECK, 0 },
		{ { ALIVE }, true, "a:read", CHECK, 0 },
		{ { DEAD, DEAD }, false, "a:read b:read", CHECK, 0 },
		{ { OFFLINE, OFFLINE }, false, "", CHECK, 0 },
	};
	static const State reserved = RESERVED_BY_OTHER;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_read();
		Model m;

		model_init(&m);
		state_set(&m, &reserved, WERO);
		memcpy(m.path, cases[i].path, sizeof(m.path));
		m.attention[0] = cases[i].attention;
		/* Reading needs no multipathd. */
		m.multipathd = MULTIPATHD_ABSENT;
		model_run(&m, command);
		g_assert_cmpstr(m.trace->str, ==, cases[i].trace);
		g_assert_cmphex(command->reply.status, ==, cases[i].status);
		g_assert_cmpuint(command->reply.size, ==, cases[i].size);
		if (cases[i].size) {
			g_assert_cmphex(be64_get(command->data + 8), ==, KO);
			g_assert_true(command->from_device);
		}
		command_free(command);
		model_deinit(&m);
	}
}

/* A list that is cut off is the device's to refuse, by one path. */
static void test_short_list(void)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
				       REGISTER, [8] = 23 };
	ScsiPrCdb pr;
	Command *command;
	Model m;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, -1);
	memset(command->data, 0, 23);
	model_init(&m);
	m.path[0] = BROKEN;
	model_run(&m, command);
	g_assert_cmpstr(m.trace->str, ==, "a:register");
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     (ScsiSense) { 5, 0x25, 0 });
	command_free(command);
	model_deinit(&m);
}

static void test_outcome(void)
{
	static const struct {
		ScsiSense sense;
		bool is_unknown;
	} cases[] = {
		{ { 0xb, 0x2e, 0x02 }, true },  { { 0xb, 0x08, 0x00 }, true },
		{ { 0xb, 0x2e, 0x01 }, false }, { { 0xb, 0x05, 0x00 }, false },
		{ { 0xb, 0x00, 0x06 }, false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_read();

		command_refuse(command, cases[i].sense, "test");
		g_assert_cmpint(multipath_outcome(command), ==,
				cases[i].is_unknown ? OUTCOME_UNKNOWN
						    : OUTCOME_UNREACHED);
		command_answer(command, SCSI_BUSY, NULL, 0, 0);
		g_assert_cmpint(multipath_outcome(command), ==,
				OUTCOME_REFUSED);
		command_free(command);
	}
}

/* Microseconds, where a path needs a second and a half. */
static void test_share(void)
{
	static const struct {
		int64_t left;
		size_t others;
		bool must;
		int64_t share;
	} cases[] = {
		{ 25000000, 0, false, 25000000 },
		{ 25000000, 1, false, 12500000 },
		/* Too little for SG_IO would be none at all. */
		{ 25000000, 63, false, 1500000 },
		{ 1000000, 15, false, 1000000 },
		{ 1000000, 0, false, 1000000 },
		{ -5, 3, false, -5 },
		{ -5, 3, true, 1500000 },
		{ 1000000, 3, true, 1500000 },
		{ 25000000, 1, true, 12500000 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(multipath_share(cases[i].left, cases[i].others,
						cases[i].must),
				==, cases[i].share);
}

static void add(const char *group, const Scenario *scenarios, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		g_autofree char *path = g_strdup_printf(
			"/multipath/%s/%s", group, scenarios[i].name);

		g_test_add_data_func(path, &scenarios[i], run_scenario);
	}
}

#define ADD(group) \
	add(#group, group##_scenarios, G_N_ELEMENTS(group##_scenarios))

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(register);
	ADD(unregister);
	ADD(reserve);
	ADD(release);
	ADD(other);
	g_test_add_func("/multipath/in", test_in);
	g_test_add_func("/multipath/short-list", test_short_list);
	g_test_add_func("/multipath/outcome", test_outcome);
	g_test_add_func("/multipath/share", test_share);
	return g_test_run();
}
