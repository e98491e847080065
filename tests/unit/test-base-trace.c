/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The argument of -T: what it switches, and where the lines go.
 */
#include "base/trace.h"

#include "testing.h"

static void all_off(void)
{
	memset(trace_enabled, 0, sizeof(trace_enabled));
}

static void option(const char *argument)
{
	g_autoptr(GError) error = NULL;

	g_test_message("%s", argument);
	g_assert_true(trace_option(argument, &error));
	g_assert_no_error(error);
}

static void assert_enabled(const char *argument, const TracePoint *points,
			   size_t count)
{
	bool expected[TRACE_POINT_COUNT] = { false };

	for (size_t i = 0; i < count; i++)
		expected[points[i]] = true;
	all_off();
	option(argument);
	for (size_t i = 0; i < TRACE_POINT_COUNT; i++)
		g_assert_true(trace_enabled[i] == expected[i]);
	all_off();
}

#define ASSERT_ENABLED(argument, ...)                            \
	assert_enabled(argument, (TracePoint[]) { __VA_ARGS__ }, \
		       sizeof((TracePoint[]) { __VA_ARGS__ }) /  \
			       sizeof(TracePoint))

static void test_patterns(void)
{
	ASSERT_ENABLED("scsi_submit", TRACE_scsi_submit);
	ASSERT_ENABLED("enable=scsi_submit", TRACE_scsi_submit);
	ASSERT_ENABLED("scsi_*", TRACE_scsi_submit, TRACE_scsi_return);
	ASSERT_ENABLED("*_submit", TRACE_scsi_submit, TRACE_command_submit);
	ASSERT_ENABLED("enable=command_*,enable=scsi_return",
		       TRACE_scsi_return);
	ASSERT_ENABLED("scsi_submit,", TRACE_scsi_submit);
	ASSERT_ENABLED(",enable=scsi_submit", TRACE_scsi_submit);
	assert_enabled("-*", NULL, 0);
	assert_enabled("enable=", NULL, 0);
	assert_enabled(",,scsi_submit", NULL, 0);
	assert_enabled("", NULL, 0);
	assert_enabled("scsi", NULL, 0);
}

static void test_all(void)
{
	all_off();
	option("*");
	for (size_t i = 0; i < TRACE_POINT_COUNT; i++)
		g_assert_true(trace_enabled[i]);
	option("-*");
	for (size_t i = 0; i < TRACE_POINT_COUNT; i++)
		g_assert_false(trace_enabled[i]);
}

/* Reported, and no error. */
static void test_no_match(void)
{
	if (g_test_subprocess()) {
		option("nosuchpoint");
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
	g_test_trap_assert_stderr("*nosuchpoint*");
}

/* Without a file the log gets the lines. */
static void test_output_log(void)
{
	if (g_test_subprocess()) {
		option("scsi_submit");
		trace(scsi_submit, "fd=%d", 17);
		trace(scsi_return, "never");
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
	g_test_trap_assert_stderr("*:scsi_submit fd=17\n");
}

static void test_events_file(void)
{
	g_autofree char *directory = directory_new();
	g_autofree char *path = g_build_filename(directory, "events", NULL);
	g_autofree char *argument = g_strdup_printf("events=%s", path);

	file_write(path, "# comment\n\n  scsi_*  \n-scsi_return\n"
			 "command_late");
	ASSERT_ENABLED(argument, TRACE_scsi_submit, TRACE_command_late);
	directory_remove(directory);
}

static void assert_wrong(const char *argument, const char *word)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(trace_option(argument, &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, word));
}

static void test_missing_files(void)
{
	assert_wrong("events=/nonexistent/file", "/nonexistent/file");
	assert_wrong("file=/nonexistent/file", "/nonexistent/file");
	all_off();
}

static void test_unknown_names(void)
{
	assert_wrong("bogus=1", "'bogus=1'");
	assert_wrong("=x", "'=x'");
	assert_wrong("en=scsi_submit", "'en=scsi_submit'");
	assert_wrong("help=1", "'help=1'");
	/* Only the first item needs no name. */
	assert_wrong("scsi_submit,scsi_return", "'scsi_return'");
	assert_wrong("file=/nonexistent/file,scsi_submit", "'scsi_submit'");
	all_off();
}

static void test_wants_list(void)
{
	static const char *const yes[] = { "help", "?", "enable=?",
					   "enable=help", "help,file=/x" };
	static const char *const no[] = { "",       "*",      "-?",    "-help",
					  "help=1", "file=?", "?,bad", "list" };

	for (size_t i = 0; i < G_N_ELEMENTS(yes); i++)
		g_assert_true(trace_wants_list(yes[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
		g_assert_false(trace_wants_list(no[i]));
}

static void output_to(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, ",", -1);
	g_autofree char *escaped = g_strjoinv(",,", parts);
	g_autofree char *argument = g_strdup_printf("file=%s", escaped);

	option(argument);
}

static void assert_lines(const char *path, const char *first,
			 const char *second)
{
	g_autofree char *text = file_read(path);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	g_assert_cmpuint(g_strv_length(lines), ==, 3);
	g_assert_true(g_str_has_suffix(lines[0], first));
	g_assert_true(g_str_has_suffix(lines[1], second));
	g_assert_cmpstr(lines[2], ==, "");
}

static void test_output_file(void)
{
	g_autofree char *directory = directory_new();
	/* A comma in a name is doubled in the argument. */
	g_autofree char *path = g_build_filename(directory, "a,b", NULL);

	option("scsi_*");
	output_to(path);
	trace(scsi_submit, "fd=%d", 17);
	trace(command_late, "never");
	trace(scsi_return, "done");
	assert_lines(path, ":scsi_submit fd=17", ":scsi_return done");
	all_off();
	directory_remove(directory);
}

/* The last file that is named gets the lines, and replaces what was there. */
static void test_output_files(void)
{
	g_autofree char *directory = directory_new();
	g_autofree char *first = g_build_filename(directory, "a", NULL);
	g_autofree char *second = g_build_filename(directory, "b", NULL);
	g_autofree char *text = NULL;
	unsigned int before;

	option("scsi_submit");
	output_to(first);
	before = descriptor_count();
	file_write(second, "old\n");
	output_to(second);
	g_assert_cmpuint(descriptor_count(), ==, before);
	trace(scsi_submit, "one");
	trace(scsi_submit, "two");
	assert_lines(second, ":scsi_submit one", ":scsi_submit two");
	text = file_read(first);
	g_assert_cmpstr(text, ==, "");
	all_off();
	directory_remove(directory);
}

static void test_list(void)
{
	g_autofree char *directory = directory_new();
	g_autofree char *path = g_build_filename(directory, "list", NULL);
	g_autofree char *text = NULL;
	FILE *file = fopen(path, "w");

	trace_list(file);
	fclose(file);
	text = file_read(path);
#define X(name, what)                              \
	g_assert_nonnull(strstr(text, #name " ")); \
	g_assert_nonnull(strstr(text, " " what "\n"));
	TRACE_POINTS(X)
#undef X
	directory_remove(directory);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/trace/patterns", test_patterns);
	g_test_add_func("/trace/all", test_all);
	g_test_add_func("/trace/no-match", test_no_match);
	g_test_add_func("/trace/events-file", test_events_file);
	g_test_add_func("/trace/missing-files", test_missing_files);
	g_test_add_func("/trace/unknown-names", test_unknown_names);
	g_test_add_func("/trace/wants-list", test_wants_list);
	g_test_add_func("/trace/list", test_list);
	g_test_add_func("/trace/output/log", test_output_log);
	g_test_add_func("/trace/output/file", test_output_file);
	g_test_add_func("/trace/output/files", test_output_files);
	return g_test_run();
}
