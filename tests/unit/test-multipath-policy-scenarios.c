/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays the scenarios of multipath-scenarios.txt against the model of a unit,
 * of multipathd and of the operator's log. That file explains its own form. The
 * hard rule: a word that is not understood ends the program, so that nothing is
 * left out of a scenario by mistake.
 */
#include "multipath-scenario.h"

#define SCENARIOS "tests/unit/multipath-scenarios.txt"

typedef struct Scenario {
	char *name;
	unsigned int line; /* in the file */
	State before;
	PathState path[OURS];
	bool attention[NEXUSES];
	unsigned int n_paths, later_paths; /* as in Model; 0: not said */
	MultipathdResult multipathd, refuses[MULTIPATHD_VERB_COUNT];
	bool knows_hold;   /* multipathd 0.13 or newer */
	uint8_t held_type; /* 0: the command's */
	bool loses_race;   /* to the other host, before a PREEMPT of ours */
	int mute;          /* as in Model */
	bool revives, no_preempt, many_keys;
	char *late_after, *fenced_after, *lost_after, *dies_after;

	bool is_sent;
	uint8_t action, type;
	uint64_t rk, sark;
	uint8_t flags; /* byte 20: APTPL 1, ALL_TG_PT 4, SPEC_I_PT 8 */

	char *trace;
	bool is_answered;
	uint8_t status;
	ScsiSense sense;
	bool has_after;
	State after;
	char *warning; /* a part of it; NULL: none */
	char *unsaid;  /* no part of it */
} Scenario;

static GPtrArray *scenarios; /* of Scenario */

/* What follows a word and a space; NULL: the text does not begin with it. */
static const char *text_after(const char *text, const char *word)
{
	size_t length = strlen(word);

	return g_str_has_prefix(text, word) && text[length] == ' '
		       ? text + length + 1
		       : NULL;
}

/* The place of a word among `count`, or -1. */
static int word_find(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] && strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}

#define WORD_FIND(word, words) word_find(word, words, G_N_ELEMENTS(words))

static bool number_read(const char *text, unsigned int base, uint64_t *ret)
{
	return g_ascii_string_to_unsigned(text, base, 0, G_MAXUINT64, ret,
					  NULL);
}

static int nexus_find(const char *name)
{
	static const char *const names[NEXUSES] = { "a", "b", "c", "other" };

	return WORD_FIND(name, names);
}

/* "a=111 other=999" */
static bool keys_read(const char *text, State *state)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (size_t i = 0; words[i]; i++) {
		g_auto(GStrv) sides = g_strsplit(words[i], "=", 2);
		int nexus = nexus_find(sides[0]);

		if (nexus < 0 || !sides[1] ||
		    !number_read(sides[1], 16, &state->key[nexus]))
			return false;
	}
	return true;
}

/* Sets the switch that the clause names. */
typedef struct Switch {
	const char *text;
	bool *value;
} Switch;

static bool switch_read(const char *clause, const Switch *switches,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(clause, switches[i].text) != 0)
			continue;
		*switches[i].value = true;
		return true;
	}
	return false;
}

static bool state_read(State *state, const char *clause)
{
	const Switch switches[] = {
		{ "multipathd status", &state->status },
		{ "multipathd hold", &state->hold },
		{ "aptpl", &state->aptpl },
	};
	const char *rest;

	if ((rest = text_after(clause, "keys")))
		return keys_read(rest, state);
	if ((rest = text_after(clause, "reserved by"))) {
		state->holder = (unsigned int)(nexus_find(rest) + 1);
		return state->holder != NOBODY;
	}
	if ((rest = text_after(clause, "multipathd key")))
		return number_read(rest, 16, &state->stored);
	if ((rest = text_after(clause, "record")))
		return number_read(rest, 16, &state->record);
	return switch_read(clause, switches, G_N_ELEMENTS(switches));
}

static bool path_read(Scenario *s, const char *text)
{
	static const char *const states[] = {
		[OFFLINE] = "offline",     [DEAD] = "dead",
		[NOT_READY] = "not ready", [MUTE] = "mute",
		[UNMAPPED] = "unmapped",   [BROKEN] = "broken",
	};
	g_auto(GStrv) words = g_strsplit(text, " ", 2);
	int nexus = nexus_find(words[0]);
	int state = words[1] ? WORD_FIND(words[1], states) : -1;

	if (nexus < 0 || nexus >= OURS || state < 0)
		return false;
	s->path[nexus] = (PathState)state;
	return true;
}

static bool attention_read(Scenario *s, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (size_t i = 0; words[i]; i++) {
		int nexus = nexus_find(words[i]);

		if (nexus < 0)
			return false;
		s->attention[nexus] = true;
	}
	return true;
}

static bool count_read(const char *text, unsigned int *ret_count)
{
	uint64_t count;

	if (!number_read(text, 10, &count) || count < 1 || count > OURS)
		return false;
	*ret_count = (unsigned int)count;
	return true;
}

/* "set: silent", or "set: done without an answer" */
static bool verb_read(Scenario *s, const char *text, const char *const *results)
{
	g_auto(GStrv) sides = g_strsplit(text, ": ", 2);
	int verb = WORD_FIND(sides[0], model_verbs);
	int result;

	if (verb < 0 || !sides[1])
		return false;
	if (strcmp(sides[1], "done without an answer") == 0) {
		s->mute = verb + 1;
		return true;
	}
	result = word_find(sides[1], results, MULTIPATHD_RESULT_COUNT);
	s->refuses[verb] = (MultipathdResult)result;
	return result >= 0;
}

static bool multipathd_read(Scenario *s, const char *text)
{
	static const char *const results[MULTIPATHD_RESULT_COUNT] = {
		[MULTIPATHD_FAILED] = "fails",
		[MULTIPATHD_ABSENT] = "absent",
		[MULTIPATHD_DENIED] = "denies",
		[MULTIPATHD_SILENT] = "silent",
		[MULTIPATHD_UNASKED] = "not asked",
	};
	int result = WORD_FIND(text, results);

	if (result < 0)
		return verb_read(s, text, results);
	s->multipathd = (MultipathdResult)result;
	return true;
}

static bool is_action(const char *word)
{
	return WORD_FIND(word, model_ins) >= 0 ||
	       WORD_FIND(word, model_outs) >= 0;
}

/* "preempt: its answer is lost" */
static bool event_read(Scenario *s, const char *text)
{
	static const char *const events[] = {
		"the deadline passes",
		"the other host fences us",
		"its answer is lost",
		"its path dies",
	};
	char **const places[] = { &s->late_after, &s->fenced_after,
				  &s->lost_after, &s->dies_after };
	g_auto(GStrv) sides = g_strsplit(text, ": ", 2);
	int event = sides[1] ? WORD_FIND(sides[1], events) : -1;

	if (event < 0 || !is_action(sides[0]))
		return false;
	*places[event] = g_strdup(sides[0]);
	return true;
}

static bool circumstance_read(Scenario *s, const char *clause)
{
	const Switch switches[] = {
		{ "multipathd 0.13", &s->knows_hold },
		{ "paths that are offline come back", &s->revives },
		{ "the other host preempts us before we do", &s->loses_race },
		{ "the device has no room for a preemption", &s->no_preempt },
		{ "more keys than READ KEYS returns", &s->many_keys },
	};

	return switch_read(clause, switches, G_N_ELEMENTS(switches));
}

/* How many paths the map has, at first and when it is read again. */
static bool map_clause_read(Scenario *s, const char *clause)
{
	const char *rest;

	if (strcmp(clause, "the map has gone") == 0)
		s->n_paths = MODEL_NO_MAP;
	else if (strcmp(clause, "no paths") == 0)
		s->n_paths = MODEL_NO_PATHS;
	else if (strcmp(clause, "then the map goes") == 0)
		s->later_paths = MODEL_NO_MAP;
	else if ((rest = text_after(clause, "paths")))
		return count_read(rest, &s->n_paths);
	else if ((rest = text_after(clause, "then paths")))
		return count_read(rest, &s->later_paths);
	else
		return false;
	return true;
}

static bool before_read(Scenario *s, const char *clause)
{
	const char *rest;
	uint64_t type;

	if (state_read(&s->before, clause) || circumstance_read(s, clause) ||
	    map_clause_read(s, clause))
		return true;
	if ((rest = text_after(clause, "path")))
		return path_read(s, rest);
	if ((rest = text_after(clause, "unit attention on")))
		return attention_read(s, rest);
	if ((rest = text_after(clause, "multipathd")))
		return multipathd_read(s, rest);
	if ((rest = text_after(clause, "after")))
		return event_read(s, rest);
	if (!(rest = text_after(clause, "reservation type")) ||
	    !number_read(rest, 10, &type))
		return false;
	s->held_type = (uint8_t)type;
	return true;
}

static bool after_read(Scenario *s, const char *clause)
{
	s->has_after = true;
	if (strcmp(clause, "nothing") == 0)
		return true;
	if (strcmp(clause, "as before") == 0) {
		s->after = s->before;
		return true;
	}
	return state_read(&s->after, clause);
}

static bool flag_read(Scenario *s, const char *clause)
{
	static const char *const flags[] = { "APTPL", NULL, "ALL_TG_PT",
					     "SPEC_I_PT" };
	int flag = WORD_FIND(clause, flags);

	if (flag >= 0)
		s->flags |= (uint8_t)(1 << flag);
	return flag >= 0;
}

static bool action_read(Scenario *s, const char *clause)
{
	for (unsigned int i = 0; i <= SCSI_PR_OUT_REGISTER_AND_MOVE; i++) {
		const char *name = scsi_service_action_name(
			SCSI_PERSISTENT_RESERVE_OUT, (uint8_t)i);

		if (strcmp(clause, name) != 0)
			continue;
		s->action = (uint8_t)i;
		s->is_sent = true;
		return true;
	}
	return false;
}

static bool send_read(Scenario *s, const char *clause)
{
	const char *rest;
	uint64_t type;

	if ((rest = text_after(clause, "key")))
		return number_read(rest, 16, &s->rk);
	if ((rest = text_after(clause, "service action key")))
		return number_read(rest, 16, &s->sark);
	if ((rest = text_after(clause, "type"))) {
		bool ok = number_read(rest, 10, &type);

		s->type = ok ? (uint8_t)type : 0;
		return ok;
	}
	if (flag_read(s, clause))
		return true;
	return action_read(s, clause);
}

static bool answer_read(Scenario *s, const char *text)
{
	static const uint8_t statuses[] = { SCSI_GOOD,
					    SCSI_RESERVATION_CONFLICT };
	unsigned int key, asc, ascq;
	int end = 0;

	s->is_answered = true;
	if (sscanf(text, "CHECK CONDITION %1x/%2x/%2x%n", &key, &asc, &ascq,
		   &end) == 3 &&
	    text[end] == '\0') {
		s->status = SCSI_CHECK_CONDITION;
		s->sense = (ScsiSense) { (uint8_t)key, (uint8_t)asc,
					 (uint8_t)ascq };
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++) {
		s->status = statuses[i];
		if (strcmp(text, scsi_status_name(statuses[i])) == 0)
			return true;
	}
	return false;
}

/* Each clause of a line. */
static bool clauses_read(Scenario *s, const char *text,
			 bool (*read)(Scenario *s, const char *clause))
{
	g_auto(GStrv) clauses = g_strsplit(text, "; ", -1);
	bool ok = true;

	for (size_t i = 0; clauses[i]; i++)
		ok = ok && read(s, g_strstrip(clauses[i]));
	return ok;
}

static bool text_set(char **place, const char *text)
{
	if (*place)
		return false;
	*place = g_strdup(text);
	return true;
}

static bool line_read(Scenario *s, const char *word, const char *text)
{
	if (strcmp(word, "before") == 0)
		return clauses_read(s, text, before_read);
	if (strcmp(word, "send") == 0)
		return clauses_read(s, text, send_read);
	if (strcmp(word, "trace") == 0)
		return text_set(&s->trace,
				strcmp(text, "nothing") == 0 ? "" : text);
	if (strcmp(word, "answer") == 0)
		return !s->is_answered && answer_read(s, text);
	if (strcmp(word, "after") == 0)
		return clauses_read(s, text, after_read);
	if (strcmp(word, "warning") == 0)
		return text_set(&s->warning, text);
	if (strcmp(word, "unsaid") == 0)
		return text_set(&s->unsaid, text);
	return false;
}

/* One that leaves something open would test less than its reader thinks. */
static bool is_complete(const Scenario *s)
{
	return s->is_sent && s->trace && s->is_answered && s->has_after;
}

static Scenario *scenario_new(const char *name, unsigned int line)
{
	Scenario *s = g_new0(Scenario, 1);

	s->name = g_strdup(name);
	s->line = line;
	g_ptr_array_add(scenarios, s);
	return s;
}

static void scenarios_read(void)
{
	g_autofree char *text = file_read(SCENARIOS);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	Scenario *s = NULL;

	scenarios = g_ptr_array_new();
	for (unsigned int i = 0; lines[i]; i++) {
		char *line = g_strchomp(lines[i]);
		char word[16];
		int at = 0;

		if (!line[0] || line[0] == '#')
			continue;
		if (line[0] != ' ')
			s = scenario_new(line, i + 1);
		else if (!s || sscanf(line, " %15s %n", word, &at) != 1 ||
			 !line_read(s, word, line + at))
			g_error(SCENARIOS ":%u: not understood: %s", i + 1,
				line);
	}
	for (unsigned int i = 0; i < scenarios->len; i++)
		if (!is_complete(scenarios->pdata[i]))
			g_error(SCENARIOS ": incomplete: %s",
				((Scenario *)scenarios->pdata[i])->name);
}

static void model_prepare(Model *m, const Scenario *s)
{
	model_init(m);
	state_set(m, &s->before, s->held_type ? s->held_type : s->type);
	m->loses_race = s->loses_race;
	m->mute = s->mute;
	m->revives = s->revives;
	m->no_preempt = s->no_preempt;
	m->many_keys = s->many_keys;
	m->late_after = s->late_after;
	m->fenced_after = s->fenced_after;
	m->lost_after = s->lost_after;
	m->dies_after = s->dies_after;
	memcpy(m->path, s->path, sizeof(m->path));
	memcpy(m->attention, s->attention, sizeof(m->attention));
	if (s->n_paths)
		m->n_paths = s->n_paths;
	m->later_paths = s->later_paths;
	m->multipathd = s->multipathd;
	memcpy(m->refuses, s->refuses, sizeof(m->refuses));
	m->has_hold = s->knows_hold;
}

static void play(gconstpointer data)
{
	const Scenario *s = data;
	Command *command =
		command_out(s->action, s->type, s->rk, s->sark, s->flags);
	Model m;

	g_test_message(SCENARIOS ":%u", s->line);
	model_prepare(&m, s);
	model_run(&m, command);
	g_assert_cmpstr(m.trace->str, ==, s->trace);
	g_assert_cmphex(command->reply.status, ==, s->status);
	g_assert_cmpuint(command->reply.size, ==, 0);
	if (s->status == SCSI_CHECK_CONDITION)
		assert_sense(command->reply.sense, WIRE_SENSE_SIZE, s->sense);
	state_assert(&m, &s->after);
	if (s->warning)
		g_assert_nonnull(strstr(m.warnings->str, s->warning));
	else
		g_assert_cmpstr(m.warnings->str, ==, "");
	if (s->unsaid)
		g_assert_null(strstr(m.warnings->str, s->unsaid));
	command_free(command);
	model_deinit(&m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	scenarios_read();
	for (unsigned int i = 0; i < scenarios->len; i++) {
		const Scenario *s = scenarios->pdata[i];
		g_auto(GStrv) names = g_strsplit(s->name, ": ", 2);
		g_autofree char *path =
			g_strdup_printf("/multipath/%s/%s", names[0], names[1]);

		g_test_add_data_func(path, s, play);
	}
	return g_test_run();
}
