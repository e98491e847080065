/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multipathd's configuration as it prints it, in short.
 */
#include "multipath/host/conf.h"

#include "testing.h"

#define DEFAULTS(key) \
	"defaults {\n\tverbosity 2\n" key "\tall_tg_pt \"no\"\n}\n"
#define FILE_KEY "\treservation_key \"file\"\n"
#define OTHERS                                                \
	"blacklist {\n\tdevice {\n\t\tvendor \"V\"\n\t}\n}\n" \
	"devices {\n\tdevice {\n\t\treservation_key \"0x9\"\n\t}\n}\n"
#define MAP(wwid, key) \
	"\tmultipath {\n\t\twwid \"" wwid "\"\n\t\talias \"a\"\n" key "\t}\n"
#define MAPS(maps) "multipaths {\n" maps "}\n"

static void expect(const char *text, const char *key)
{
	g_autofree char *found = multipath_conf_reservation_key(text, "36001");

	g_assert_cmpstr(found, ==, key);
}

static void test_defaults(void)
{
	expect(DEFAULTS(FILE_KEY) OTHERS, "file");
	expect(OTHERS DEFAULTS(FILE_KEY), "file");
	expect(DEFAULTS("\treservation_key 0xabc\n"), "0xabc");
	expect(DEFAULTS(FILE_KEY) MAPS(MAP("36001", "")), "file");
	expect("}\n" DEFAULTS(FILE_KEY), "file");
}

static void test_none(void)
{
	expect("", NULL);
	expect(DEFAULTS("") OTHERS, NULL);
	expect(DEFAULTS("\treservation_keys file\n"), NULL);
	expect("}\n}\n\treservation_key file\n", NULL);
	expect(DEFAULTS("") FILE_KEY, NULL);
	expect("overrides {\n" DEFAULTS(FILE_KEY) "}\n", NULL);
	expect(MAP("36001", FILE_KEY), NULL);
}

static void test_map(void)
{
	expect(DEFAULTS(FILE_KEY)
		       MAPS(MAP("36001", "\t\treservation_key 0x5\n")),
	       "0x5");
	expect(DEFAULTS("") MAPS(MAP("36001", FILE_KEY)), "file");
	expect(DEFAULTS("") MAPS(MAP("36002", FILE_KEY)), NULL);
	expect(DEFAULTS("") MAPS(MAP("360011", FILE_KEY) MAP("36001", "")),
	       NULL);
	expect(MAPS(MAP("36001", "") "\tmultipath {\n" FILE_KEY "\t}\n"), NULL);
	/* The key may come before the WWID. */
	expect(MAPS("\tmultipath {\n" FILE_KEY "\t\twwid 36001\n\t}\n"),
	       "file");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/multipath/conf/defaults", test_defaults);
	g_test_add_func("/multipath/conf/none", test_none);
	g_test_add_func("/multipath/conf/map", test_map);
	return g_test_run();
}
