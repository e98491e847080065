/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts for the terminal. The manual page says the same at length.
 */
#include <string.h>

#include "base/version-mark.h"
#include "options-rules.h"

#define NAME "qemu-pr-helper"

/* Where the second column begins. */
#define TEXT_COLUMN 24

/* Prints what the user types for this option; returns its width. */
static int options_help_name(FILE *file, const OptionsRule *rule)
{
	return fprintf(file, "--%s%s%s", rule->name, rule->argument ? "=" : "",
		       rule->argument ? rule->argument : "");
}

static void options_help_text(FILE *file, const char *text, int column)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	/* Two columns stay two. */
	if (column + 2 > TEXT_COLUMN) {
		fputc('\n', file);
		column = 0;
	}
	for (char **line = lines; *line; line++) {
		fprintf(file, "%*s%s\n", TEXT_COLUMN - column, "", *line);
		column = 0;
	}
}

static void options_help_all(FILE *file)
{
	const OptionsRule *rule = options_rules, *before = NULL;
	int column = 0;

	for (size_t i = 0; i < options_rule_count; i++, before = rule++) {
		if (before && before->letter && !rule->letter)
			fputc('\n', file);
		if (before && !before->help)
			column += fprintf(file, ", ");
		else if (rule->letter)
			column = fprintf(file, "  -%c, ", rule->letter);
		else
			column = fprintf(file, "      ");
		column += options_help_name(file, rule);
		if (rule->help)
			options_help_text(file, rule->help, column);
	}
}

void options_print_help(FILE *file)
{
	fputs("Usage: " NAME " [OPTION]...\n"
	      "       " NAME " --check [OPTION]... [DEVICE]...\n"
	      "Sends SCSI persistent reservation commands for QEMU's virtual\n"
	      "machines, which may not send them themselves.\n"
	      "\n",
	      file);
	options_help_all(file);
	fputs("\n"
	      "The manual page qemu-pr-helper(8) has the rest.\n",
	      file);
}

/* For qemu-pr-client --ping, too, which reads it in the program's file. */
static const char version_mark[] __attribute__((used)) =
	VERSION_MARK_PREFIX VERSION;

void options_print_version(FILE *file)
{
	fprintf(file,
		"%s\n"
		"License: GNU GPL version 2 or later\n",
		version_mark + strlen(VERSION_MARK));
}

void options_print_hint(FILE *file)
{
	fputs(NAME ": Try '" NAME " --help' for more information.\n", file);
}
