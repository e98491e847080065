/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A logical unit, multipathd and an operator's log as the policy sees them. The
 * unit has three I_T nexuses of ours, "a", "b" and "c", and another host's; it
 * keeps reservations as SPC-4 5.12 says. Everything that is asked is written
 * down in one line.
 */
#ifndef MULTIPATH_MODEL_H
#define MULTIPATH_MODEL_H

#include "base/bytes.h"
#include "multipath/policy/execute.h"
#include "testing.h"

#define OURS    3
#define OTHER   3 /* the other host's nexus */
#define NEXUSES 4

/* Values of Model.n_paths and later_paths: the map has gone; it has no path. */
#define MODEL_NO_MAP   ((unsigned int)-1)
#define MODEL_NO_PATHS ((unsigned int)-2)

typedef enum PathState {
	ALIVE,
	OFFLINE,   /* sysfs says so */
	DEAD,      /* found out by sending */
	NOT_READY, /* the device says so */
	MUTE,      /* does it, and the answer is lost */
	UNMAPPED,  /* has no such unit any more: 5/25/00 */
	BROKEN,    /* refuses everything: 5/26/00 */
} PathState;

typedef struct Model {
	uint64_t key[NEXUSES]; /* 0: not registered */
	bool attention[NEXUSES];
	bool reserved, aptpl;
	unsigned int holder;
	uint8_t type;

	PathState path[OURS];
	unsigned int n_paths;
	unsigned int later_paths; /* so many at the second look */

	MultipathdResult multipathd;
	MultipathdResult refuses[MULTIPATHD_VERB_COUNT];
	uint64_t stored;
	bool stored_aptpl, status, has_hold, hold;

	int mute;     /* verb + 1 that multipathd does without a word, once */
	bool revives; /* paths that are offline are alive at the second look */
	const char *late_after;   /* the command that takes so long that: */
	const char *fenced_after; /* our first of these: by the other host */
	bool many_keys;           /* more than READ KEYS can return */
	bool late;       /* the deadline has passed: only what must goes out */
	bool no_preempt; /* the device has no room for it, say */

	bool loses_race;        /* the other host preempts us before we do */
	const char *lost_after; /* one of these is done, and its answer lost */
	const char *dies_after; /* the path that has done one is dead then */

	Map map; /* as it was read last */
	Hold record;
	GString *trace;
	GString *warnings;
	GString *shares; /* with how many others each attempt shares the time */
} Model;

static const ScsiSense sense_attention = { SCSI_SENSE_UNIT_ATTENTION, 0x2a,
					   0x03 };

static void model_check(Command *attempt, ScsiSense sense)
{
	uint8_t bytes[WIRE_SENSE_SIZE];

	scsi_sense_put(bytes, sizeof(bytes), sense);
	command_answer(attempt, SCSI_CHECK_CONDITION, bytes,
		       SCSI_SENSE_FIXED_LENGTH, 0);
}

static bool model_all_registrants(const Model *m)
{
	return m->reserved &&
	       m->type >= SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS;
}

static bool model_is_holder(const Model *m, unsigned int nexus)
{
	return m->reserved && m->key[nexus] &&
	       (model_all_registrants(m) || m->holder == nexus);
}

static void model_unregister(Model *m, unsigned int nexus)
{
	if (m->reserved && !model_all_registrants(m) && m->holder == nexus)
		m->reserved = false;
	m->key[nexus] = 0;
}

static uint8_t model_preempt(Model *m, unsigned int nexus,
			     const ScsiPrParameters *p, uint8_t type)
{
	bool all = p->service_action_key == 0 && model_all_registrants(m);
	bool takes = all || (m->reserved && !model_all_registrants(m) &&
			     m->key[m->holder] == p->service_action_key);
	bool any = false;

	for (unsigned int i = 0; i < NEXUSES; i++) {
		if (!m->key[i] || (!all && m->key[i] != p->service_action_key))
			continue;
		any = true;
		if (i == nexus)
			continue;
		m->key[i] = 0;
		m->attention[i] = true;
	}
	if (!any)
		return SCSI_RESERVATION_CONFLICT;
	if (takes) {
		m->holder = nexus;
		m->type = type;
	}
	return SCSI_GOOD;
}

static uint8_t model_register(Model *m, unsigned int nexus,
			      const ScsiPrParameters *p, bool ignore)
{
	if (!ignore && m->key[nexus] != p->reservation_key)
		return SCSI_RESERVATION_CONFLICT;
	m->aptpl = p->aptpl;
	if (p->service_action_key)
		m->key[nexus] = p->service_action_key;
	else
		model_unregister(m, nexus);
	return SCSI_GOOD;
}

static uint8_t model_reserve(Model *m, unsigned int nexus, uint8_t type)
{
	if (m->reserved && !(model_is_holder(m, nexus) && m->type == type))
		return SCSI_RESERVATION_CONFLICT;
	m->reserved = true;
	m->holder = nexus;
	m->type = type;
	return SCSI_GOOD;
}

static uint8_t model_release(Model *m, unsigned int nexus, uint8_t type)
{
	if (!model_is_holder(m, nexus))
		return SCSI_GOOD;
	/* As LIO says it; the standard has 5/26/04. */
	if (type != m->type)
		return SCSI_RESERVATION_CONFLICT;
	m->reserved = false;
	for (unsigned int i = 0; i < NEXUSES; i++)
		m->attention[i] |= i != nexus && m->key[i];
	return SCSI_GOOD;
}

static uint8_t model_clear(Model *m, unsigned int nexus)
{
	m->reserved = false;
	for (unsigned int i = 0; i < NEXUSES; i++)
		m->attention[i] |= i != nexus && m->key[i];
	memset(m->key, 0, sizeof(m->key));
	return SCSI_GOOD;
}

static uint8_t model_out(Model *m, unsigned int nexus, const Command *attempt)
{
	uint8_t action = attempt->pr.service_action;
	bool ignore = action == SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY;
	ScsiPrParameters p;

	if (m->loses_race && action == SCSI_PR_OUT_PREEMPT) {
		memset(m->key, 0, OURS * sizeof(m->key[0]));
		m->holder = OTHER;
	}

	g_assert_true(scsi_pr_parameters_get(action, attempt->data,
					     attempt->pr.length, &p));
	if (ignore || action == SCSI_PR_OUT_REGISTER)
		return model_register(m, nexus, &p, ignore);
	if (m->no_preempt && action == SCSI_PR_OUT_PREEMPT)
		return SCSI_RESERVATION_CONFLICT;
	if (!m->key[nexus] || m->key[nexus] != p.reservation_key)
		return SCSI_RESERVATION_CONFLICT;
	switch (action) {
	case SCSI_PR_OUT_RESERVE:
		return model_reserve(m, nexus, attempt->pr.type);
	case SCSI_PR_OUT_RELEASE:
		return model_release(m, nexus, attempt->pr.type);
	case SCSI_PR_OUT_PREEMPT:
		return model_preempt(m, nexus, &p, attempt->pr.type);
	case SCSI_PR_OUT_CLEAR:
		return model_clear(m, nexus);
	default:
		g_assert_not_reached();
	}
}

static void model_keys(const Model *m, Command *attempt)
{
	uint8_t *next = attempt->data + 8;

	for (unsigned int i = 0; i < NEXUSES; i++)
		if (m->key[i]) {
			be64_put(next, m->key[i]);
			next += 8;
		}
	attempt->data[6] = m->many_keys ? 0x40 : 0;
	attempt->data[7] = (uint8_t)(next - attempt->data - 8);
	command_answer(attempt, SCSI_GOOD, NULL, 0,
		       (size_t)(next - attempt->data));
}

static void model_capabilities(const Model *m, Command *attempt)
{
	attempt->data[1] = 8;
	attempt->data[2] = 1;
	attempt->data[3] = m->aptpl;
	command_answer(attempt, SCSI_GOOD, NULL, 0, 8);
}

static void model_reservation(const Model *m, Command *attempt)
{
	uint8_t bytes[SCSI_PR_RESERVATION_LENGTH] = { 0 };
	size_t size = m->reserved ? sizeof(bytes) : 8;

	if (m->reserved) {
		bytes[7] = 16;
		if (!model_all_registrants(m))
			be64_put(bytes + 8, m->key[m->holder]);
		bytes[21] = m->type;
	}
	memcpy(attempt->data, bytes, size);
	command_answer(attempt, SCSI_GOOD, NULL, 0, size);
}

static void model_in(const Model *m, Command *attempt)
{
	switch (attempt->pr.service_action) {
	case SCSI_PR_IN_READ_KEYS:
		model_keys(m, attempt);
		break;
	case SCSI_PR_IN_READ_RESERVATION:
		model_reservation(m, attempt);
		break;
	case SCSI_PR_IN_REPORT_CAPABILITIES:
		model_capabilities(m, attempt);
		break;
	default:
		g_assert_not_reached();
	}
}

static void model_execute(Model *m, unsigned int nexus, Command *attempt)
{
	if (m->attention[nexus]) {
		m->attention[nexus] = false;
		model_check(attempt, sense_attention);
	} else if (attempt->pr.opcode == SCSI_PERSISTENT_RESERVE_IN) {
		model_in(m, attempt);
	} else {
		command_answer(attempt, model_out(m, nexus, attempt), NULL, 0,
			       0);
	}
}

static void model_trace(Model *m, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void model_trace(Model *m, const char *format, ...)
{
	va_list arguments;

	if (m->trace->len > 0)
		g_string_append_c(m->trace, ' ');
	va_start(arguments, format);
	g_string_append_vprintf(m->trace, format, arguments);
	va_end(arguments);
}

/* The trace's words for service actions, and for what multipathd is asked. */
static const char *const model_ins[] = { "keys", "read", "can" };
static const char *const model_outs[] = { "register", "reserve", "release",
					  "clear",    "preempt", "abort",
					  "ignore",   "move",    "lost" };
static const char *const model_verbs[MULTIPATHD_VERB_COUNT] = {
	"get", "set", "unset", "on", "off", "hold?", "hold", "unhold",
};

static const char *model_word(const Command *attempt)
{
	if (attempt->pr.opcode == SCSI_PERSISTENT_RESERVE_IN)
		return model_ins[attempt->pr.service_action];
	return model_outs[attempt->pr.service_action];
}

static bool model_just_did(const Command *attempt, const char *word)
{
	return word && strcmp(model_word(attempt), word) == 0;
}

/* What comes over us after a command. */
static void model_strike(Model *m, unsigned int nexus, Command *attempt)
{
	if (model_just_did(attempt, m->dies_after)) {
		m->path[nexus] = DEAD;
		m->dies_after = NULL;
	}
	if (model_just_did(attempt, m->fenced_after)) {
		memset(m->key, 0, OURS * sizeof(m->key[0]));
		m->reserved = true;
		m->holder = OTHER;
		m->fenced_after = NULL;
	}
	if (model_just_did(attempt, m->lost_after)) {
		command_refuse(attempt, FAILURE_OUTCOME_UNKNOWN, "no answer");
		m->lost_after = NULL;
	}
	m->late |= model_just_did(attempt, m->late_after);
}

static void model_send(void *data, const MapPath *path, Send send,
		       Command *attempt)
{
	Model *m = data;
	unsigned int nexus = path->minor;

	g_string_append_printf(m->shares, "%s%zu", path->name, send.share);
	if (m->late && !send.after_deadline) {
		command_refuse(attempt, FAILURE_NOT_SENT, "too late");
		return;
	}
	model_trace(m, "%s:%s", path->name, model_word(attempt));
	switch (m->path[nexus]) {
	case OFFLINE:
		g_assert_not_reached();
	case DEAD:
		command_refuse(attempt, FAILURE_NO_PATH, "path %s is dead",
			       path->name);
		return;
	case NOT_READY:
		model_check(attempt,
			    (ScsiSense) { SCSI_SENSE_NOT_READY, 4, 0 });
		return;
	case UNMAPPED:
		model_check(attempt, (ScsiSense) { SCSI_SENSE_ILLEGAL_REQUEST,
						   0x25, 0 });
		return;
	case BROKEN:
		model_check(attempt, (ScsiSense) { SCSI_SENSE_ILLEGAL_REQUEST,
						   0x26, 0 });
		return;
	case MUTE:
		model_execute(m, nexus, attempt);
		command_refuse(attempt, FAILURE_OUTCOME_UNKNOWN, "no answer");
		return;
	case ALIVE:
		break;
	}
	model_execute(m, nexus, attempt);
	model_strike(m, nexus, attempt);
}

static const Map *model_read_map(void *data)
{
	Model *m = data;
	static const char *const names[OURS] = { "a", "b", "c" };

	if (m->n_paths == MODEL_NO_MAP)
		return NULL;
	m->map = (Map) { .name = "dm-0",
			 .n_paths = m->n_paths == MODEL_NO_PATHS ? 0
								 : m->n_paths };
	for (unsigned int i = 0; i < m->map.n_paths; i++) {
		MapPath *path = &m->map.paths[i];

		*path = (MapPath) { .major = 8, .minor = i, .host = i / 2 };
		g_strlcpy(path->name, names[i], sizeof(path->name));
		path->running = m->path[i] != OFFLINE;
	}
	if (m->later_paths)
		m->n_paths = m->later_paths;
	for (unsigned int i = 0; m->revives && i < OURS; i++)
		if (m->path[i] == OFFLINE)
			m->path[i] = ALIVE;
	return &m->map;
}

static MultipathdAnswer model_tell(void *data, MultipathdVerb verb,
				   uint64_t key, bool aptpl)
{
	Model *m = data;
	MultipathdAnswer answer = { .result = m->multipathd };
	bool muted = false;

	if (verb == MULTIPATHD_SET_KEY)
		model_trace(m, "set(%" G_GINT64_MODIFIER "x%s)", key,
			    aptpl ? ",aptpl" : "");
	else
		model_trace(m, "%s", model_verbs[verb]);
	if (answer.result == MULTIPATHD_OK)
		answer.result = m->refuses[verb];
	if (m->mute == (int)verb + 1) {
		m->mute = 0;
		muted = true;
	}
	if (verb >= MULTIPATHD_GET_HOLD && !m->has_hold)
		answer.result = MULTIPATHD_FAILED;
	if (answer.result != MULTIPATHD_OK)
		return answer;
	switch (verb) {
	case MULTIPATHD_GET_KEY:
		answer.key = m->stored;
		answer.aptpl = m->stored_aptpl;
		break;
	case MULTIPATHD_SET_KEY:
	case MULTIPATHD_UNSET_KEY:
		m->stored = key;
		m->stored_aptpl = aptpl;
		break;
	case MULTIPATHD_SET_STATUS:
	case MULTIPATHD_UNSET_STATUS:
		m->status = verb == MULTIPATHD_SET_STATUS;
		/* As 0.13 does it. */
		m->hold &= m->status;
		break;
	case MULTIPATHD_GET_HOLD:
		answer.hold = m->hold;
		break;
	case MULTIPATHD_SET_HOLD:
	case MULTIPATHD_UNSET_HOLD:
		m->hold = verb == MULTIPATHD_SET_HOLD;
		break;
	case MULTIPATHD_VERB_COUNT:
		g_assert_not_reached();
	}
	if (muted)
		answer.result = MULTIPATHD_SILENT;
	return answer;
}

static Hold model_hold_get(void *data)
{
	return ((Model *)data)->record;
}

static void model_hold_set(void *data, Hold hold)
{
	((Model *)data)->record = hold;
}

static void model_warn(void *data, const char *text)
{
	g_string_append_printf(((Model *)data)->warnings, "%s\n", text);
}

static void model_init(Model *m)
{
	*m = (Model) { .n_paths = 2 };
	m->trace = g_string_new(NULL);
	m->warnings = g_string_new(NULL);
	m->shares = g_string_new(NULL);
}

static void model_deinit(Model *m)
{
	g_string_free(m->trace, TRUE);
	g_string_free(m->warnings, TRUE);
	g_string_free(m->shares, TRUE);
}

/* Executes the command, which the caller frees. */
static void model_run(Model *m, Command *command)
{
	MultipathWorld world = {
		.read_map = model_read_map,
		.send = model_send,
		.tell = model_tell,
		.hold_get = model_hold_get,
		.hold_set = model_hold_set,
		.warn = model_warn,
		.data = m,
	};

	g_string_truncate(m->trace, 0);
	multipath_execute(command, &world);
}

#endif
