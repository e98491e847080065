/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever multipathd answers is a yes, a no or a denial; a key comes only with
 * a yes to the question for it, and is the one that was written.
 */
#include "fuzz.h"
#include "multipath/host/multipathd.h"

static void assert_key(const MultipathdAnswer *answer, const char *text)
{
	g_autofree char *digits =
		g_strdup_printf("%" G_GINT64_MODIFIER "x", answer->key);
	g_autofree char *low = g_ascii_strdown(text, -1);

	if (g_str_has_prefix(text, "none"))
		g_assert_cmphex(answer->key, ==, 0);
	else
		g_assert_nonnull(strstr(low, digits));
	g_assert_true(answer->aptpl == !!strstr(text, ":aptpl"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	MultipathdVerb verb = input_byte(&input) % MULTIPATHD_VERB_COUNT;
	g_autofree char *text = (char *)exact_copy(input.data, input.size);
	MultipathdAnswer answer = multipathd_parse(verb, text, input.size);

	g_assert_cmpint(answer.result, <=, MULTIPATHD_DENIED);
	g_assert_cmpint(answer.result, !=, MULTIPATHD_ABSENT);
	if (answer.result == MULTIPATHD_OK && verb == MULTIPATHD_GET_KEY) {
		assert_key(&answer, text);
	} else {
		g_assert_cmphex(answer.key, ==, 0);
		g_assert_false(answer.aptpl);
	}
	if (answer.result != MULTIPATHD_OK || verb != MULTIPATHD_GET_HOLD)
		g_assert_false(answer.hold);
	return 0;
}
