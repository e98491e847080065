/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table says everything about each option; options.c makes of it what
 * getopt wants. Nobody else includes this.
 */
#ifndef CLIENT_OPTIONS_RULES_H
#define CLIENT_OPTIONS_RULES_H

#include "options-check.h"

typedef struct OptionRule {
	const char *name;
	char letter; /* 0: the name only */
	enum {
		RULE_NOTHING,
		RULE_IN,    /* a service action */
		RULE_OUT,   /* a service action */
		RULE_WHAT,  /* a ClientAction */
		RULE_FLAG,  /* a bool of the draft */
		RULE_COUNT, /* a guint of the draft */
		RULE_ARGUMENT,
	} kind;
	uint8_t action;
	size_t offset; /* in the draft */
	/* What is wrong with the argument, or NULL. */
	const char *(*set)(OptionsDraft *draft, const char *argument);
} OptionRule;

extern const OptionRule client_option_rules[];
extern const size_t client_option_count;

/* A DEVICE, given with or without --device. */
const char *client_option_set_device(OptionsDraft *draft, const char *argument);

#endif
