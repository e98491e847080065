/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps and their paths, read from small trees that are laid out like the
 * kernel's, whole ones and broken ones.
 */
#include "multipath/host/map.h"

#include <sys/resource.h>

#include "testing.h"

static char *root;
static Map map;

static char *above(const char *file)
{
	g_autofree char *path = g_build_filename(root, file, NULL);
	g_autofree char *directory = g_path_get_dirname(path);

	g_assert_no_errno(g_mkdir_with_parents(directory, 0755));
	return g_steal_pointer(&path);
}

static void make(const char *file, const char *text)
{
	g_autofree char *path = above(file);

	file_write(path, text);
}

static void make_link(const char *link, const char *target)
{
	g_autofree char *path = above(link);

	g_assert_no_errno(symlink(target, path));
}

static void take_away(const char *file)
{
	g_autofree char *path = above(file);

	if (g_file_test(path, G_FILE_TEST_IS_DIR) &&
	    !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
		directory_remove(path);
	else
		g_assert_no_errno(unlink(path));
}

/* A name made of pieces, good until the sixteenth after it. */
static const char *name(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static const char *name(const char *format, ...)
{
	static char names[16][256];
	static unsigned int next;
	char *this = names[next++ % G_N_ELEMENTS(names)];
	va_list arguments;

	va_start(arguments, format);
	g_vsnprintf(this, sizeof(names[0]), format, arguments);
	va_end(arguments);
	return this;
}

static void make_disk(const char *disk, const char *address, unsigned int minor)
{
	g_autofree char *device = g_strdup_printf("devices/host/%s", address);

	make(name("%s/state", device), "running\n");
	make_link(name("%s/subsystem", device), "../../../bus/scsi");
	make(name("%s/block/%s/dev", device, disk), name("8:%u\n", minor));
	make_link(name("%s/block/%s/device", device, disk),
		  name("../../../%s", address));
	make_link(name("dev/block/8:%u", minor),
		  name("../../%s/block/%s", device, disk));
}

static void make_slave(const char *disk, const char *address)
{
	make_link(name("devices/virtual/block/dm-3/slaves/%s", disk),
		  name("../../../../host/%s/block/%s", address, disk));
}

#define DM "devices/virtual/block/dm-3/"

static void make_map(const char *uuid, const char *alias)
{
	root = directory_new();
	make("bus/scsi/uevent", "");
	make(DM "dm/uuid", uuid);
	make(DM "dm/name", alias);
	make_link("dev/block/253:3", "../../devices/virtual/block/dm-3");
	make_disk("sdb", "3:0:0:1", 16);
	make_disk("sda", "12:0:0:1", 0);
	make_slave("sdb", "3:0:0:1");
	make_slave("sda", "12:0:0:1");
}

static void remove_map(void)
{
	directory_remove(root);
	g_clear_pointer(&root, g_free);
}

static bool reads(void)
{
	memset(&map, 0x5a, sizeof(map));
	return map_read(root, 253, 3, &map);
}

static void assert_path(size_t i, const char *name, unsigned int minor,
			unsigned int host, bool running)
{
	g_assert_cmpuint(map.n_paths, >, i);
	g_assert_cmpstr(map.paths[i].name, ==, name);
	g_assert_cmpuint(map.paths[i].major, ==, 8);
	g_assert_cmpuint(map.paths[i].minor, ==, minor);
	g_assert_cmpuint(map.paths[i].host, ==, host);
	g_assert_cmpint(map.paths[i].running, ==, running);
}

static void test_map(void)
{
	make_map("mpath-36001405aaaabbbb\n", "mpatha\n");
	g_assert_true(reads());
	g_assert_cmpstr(map.name, ==, "dm-3");
	g_assert_cmpstr(map.alias, ==, "mpatha");
	g_assert_cmpstr(map.uuid, ==, "mpath-36001405aaaabbbb");
	g_assert_cmpuint(map.n_paths, ==, 2);
	assert_path(0, "sda", 0, 12, true);
	assert_path(1, "sdb", 16, 3, true);
	remove_map();
}

static void test_states(void)
{
	static const char *const states[] = {
		"offline\n",
		"transport-offline\n",
		"running-not\n",
		"",
		"created\n",
		/* longer than any buffer for it */
		"a state with a very, very, very long name",
	};

	make_map("mpath-x\n", "a\n");
	for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
		make("devices/host/3:0:0:1/state", states[i]);
		g_assert_true(reads());
		g_assert_cmpuint(map.n_paths, ==, 2);
		assert_path(1, "sdb", 16, 3, false);
	}
	take_away("devices/host/3:0:0:1/state");
	g_assert_true(reads());
	assert_path(1, "sdb", 16, 3, false);
	remove_map();
}

static void test_no_map(void)
{
	static const char *const uuids[] = {
		"LVM-Ab12\n", "part1-mpath-36001405\n", "", "\n", "mpath", "-",
	};
	g_autofree char *longest = g_strnfill(MAP_UUID_SIZE - 1, 'x');

	for (size_t i = 0; i < G_N_ELEMENTS(uuids); i++) {
		make_map(uuids[i], "a\n");
		g_assert_false(reads());
		remove_map();
	}
	memcpy(longest, "mpath-", 6);
	make_map(longest, "a\n");
	g_assert_true(reads());
	g_assert_cmpstr(map.uuid, ==, longest);
	g_assert_false(map_read(root, 253, 4, &map));
	g_assert_false(map_read(root, 8, 0, &map));
	g_assert_false(map_read("/nonexistent", 253, 3, &map));
	remove_map();
}

/* Longer than the kernel has them: refused, not cut. */
static void test_long_texts(void)
{
	g_autofree char *uuid = g_strnfill(MAP_UUID_SIZE, 'x');
	g_autofree char *alias = g_strnfill(MAP_ALIAS_SIZE, 'x');

	memcpy(uuid, "mpath-", 6);
	make_map(uuid, "a\n");
	g_assert_false(reads());
	make(DM "dm/uuid", "mpath-x\n");
	make(DM "dm/name", alias);
	g_assert_false(reads());
	make(DM "dm/name", "");
	g_assert_false(reads());
	take_away(DM "dm/name");
	g_assert_false(reads());
	remove_map();
}

/* What may be missing or odd when its turn comes costs that path only. */
static void test_broken_paths(void)
{
	static const char *const numbers[] = { "", "8\n", "8:16x\n", "x\n",
					       "8:\n" };
	g_autofree char *link = g_strnfill(DEVICE_NAME_SIZE, 's');
	g_autofree char *too_long = g_strconcat(DM "slaves/", link, NULL);

	make_map("mpath-x\n", "a\n");
	make_link(DM "slaves/sdc", "../../../../host/4:0:0:1/block/sdc");
	make_link(too_long, "../../../../host/3:0:0:1/block/sdb");
	make(DM "slaves/file", "");
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		make("devices/host/3:0:0:1/block/sdb/dev", numbers[i]);
		g_assert_true(reads());
		g_assert_cmpuint(map.n_paths, ==, 1);
		assert_path(0, "sda", 0, 12, true);
	}
	make("devices/host/3:0:0:1/block/sdb/dev", "8:16\n");
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, 2);
	take_away("devices/host/3:0:0:1/block/sdb/device");
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, 1);
	take_away(DM "slaves");
	g_assert_false(reads());
	remove_map();
}

/* A partition under a map must not open the way to the whole disk. */
static void test_not_scsi(void)
{
	make_map("mpath-x\n", "a\n");
	make("devices/host/3:0:0:1/block/sdb/sdb1/dev", "8:17\n");
	make("devices/host/3:0:0:1/block/sdb/sdb1/partition", "1\n");
	make_link("devices/host/3:0:0:1/block/sdb/sdb1/device",
		  "../../../../3:0:0:1");
	make_link("dev/block/8:17",
		  "../../devices/host/3:0:0:1/block/sdb/sdb1");
	make_link(DM "slaves/sdb1", "../../../../host/3:0:0:1/block/sdb/sdb1");
	take_away("devices/host/3:0:0:1/block/sdb/sdb1/device");
	make("devices/virtual/block/loop0/dev", "7:0\n");
	make_link("dev/block/7:0", "../../devices/virtual/block/loop0");
	make_link(DM "slaves/loop0", "../../loop0");
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, 2);
	/* The link to the bus is what tells. */
	take_away("devices/host/3:0:0:1/subsystem");
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, 1);
	remove_map();
}

static void test_many_paths(void)
{
	make_map("mpath-x\n", "a\n");
	for (unsigned int i = 2; i < MAP_PATHS_MAX + 8; i++) {
		const char *disk = name("sd%u", i);
		const char *address = name("2:0:0:%u", i);

		make_disk(disk, address, i * 16);
		make_slave(disk, address);
	}
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, MAP_PATHS_MAX);
	for (size_t i = 1; i < map.n_paths; i++)
		g_assert_cmpuint(map.paths[i - 1].minor, <, map.paths[i].minor);
	remove_map();
}

static void test_no_paths(void)
{
	make_map("mpath-x\n", "a\n");
	take_away(DM "slaves/sda");
	take_away(DM "slaves/sdb");
	g_assert_true(reads());
	g_assert_cmpuint(map.n_paths, ==, 0);
	remove_map();
}

/* Many readings leave no descriptor behind, good or bad. */
static void test_descriptors(void)
{
	unsigned int before = descriptor_count();

	make_map("mpath-x\n", "a\n");
	g_assert_true(reads());
	take_away(DM "slaves");
	g_assert_false(reads());
	make(DM "slaves", "no directory");
	g_assert_false(reads());
	g_assert_cmpuint(descriptor_count(), ==, before);
	remove_map();
}

/* With too few of them no path is left out. */
static void test_few_descriptors(void)
{
	struct rlimit usual, few;

	make_map("mpath-x\n", "a\n");
	g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &usual));
	few = usual;
	for (few.rlim_cur = 3;; few.rlim_cur++) {
		bool is_read;

		g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &few));
		is_read = reads();
		g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &usual));
		if (!is_read)
			continue;
		g_assert_cmpuint(map.n_paths, ==, 2);
		assert_path(0, "sda", 0, 12, true);
		assert_path(1, "sdb", 16, 3, true);
		break;
	}
	remove_map();
}

static void test_find(void)
{
	static const Map some = { .n_paths = 2,
				  .paths = { { .major = 8, .minor = 16 },
					     { .major = 65, .minor = 16 } } };
	size_t i = 7;

	g_assert_false(
		map_find(&some, &(MapPath) { .major = 8, .minor = 32 }, &i));
	g_assert_cmpuint(i, ==, 7);
	g_assert_true(
		map_find(&some, &(MapPath) { .major = 65, .minor = 16 }, &i));
	g_assert_cmpuint(i, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/map/map", test_map);
	g_test_add_func("/map/states", test_states);
	g_test_add_func("/map/no-map", test_no_map);
	g_test_add_func("/map/long-texts", test_long_texts);
	g_test_add_func("/map/broken-paths", test_broken_paths);
	g_test_add_func("/map/not-scsi", test_not_scsi);
	g_test_add_func("/map/many-paths", test_many_paths);
	g_test_add_func("/map/no-paths", test_no_paths);
	g_test_add_func("/map/descriptors", test_descriptors);
	g_test_add_func("/map/few-descriptors", test_few_descriptors);
	g_test_add_func("/map/find", test_find);
	return g_test_run();
}
