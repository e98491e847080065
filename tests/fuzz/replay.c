/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target, built by any compiler, over the files of a corpus, and
 * prints TAP. Without an argument the corpus is the one in the source tree
 * that belongs to this program's name.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static char *own_corpus(const char *program)
{
	g_autofree char *name = g_path_get_basename(program);

	return g_build_filename(
		"tests", "fuzz", "corpus",
		g_str_has_prefix(name, "fuzz-") ? name + 5 : name, NULL);
}

static GPtrArray *files_of(const char *directory)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) open = g_dir_open(directory, 0, NULL);
	const char *name;

	while (open && (name = g_dir_read_name(open)))
		g_ptr_array_add(files, g_build_filename(directory, name, NULL));
	return files;
}

static int compare_names(const void *a, const void *b)
{
	return g_strcmp0(*(char *const *)a, *(char *const *)b);
}

/* What is wrong aborts: the line is printed before it can. */
static void replay(const char *file)
{
	g_autofree char *bytes = NULL;
	gsize size;

	if (!g_file_get_contents(file, &bytes, &size, NULL)) {
		printf("Bail out! cannot read %s\n", file);
		exit(EXIT_FAILURE);
	}
	g_autofree uint8_t *copy = exact_copy((uint8_t *)bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
}

int main(int argc, char **argv)
{
	g_autofree char *directory =
		argc > 1 ? g_strdup(argv[1]) : own_corpus(argv[0]);
	g_autoptr(GPtrArray) files = files_of(directory);

	g_ptr_array_sort(files, compare_names);
	printf("1..%u\n", files->len);
	if (files->len == 0)
		printf("Bail out! no corpus in %s\n", directory);
	for (guint i = 0; i < files->len; i++) {
		const char *file = g_ptr_array_index(files, i);

		printf("# %s\n", file);
		fflush(stdout);
		replay(file);
		printf("ok %u\n", i + 1);
	}
	return files->len == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
