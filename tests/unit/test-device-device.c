/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device kinds told from small trees that are laid out like the kernel's:
 * links from dev/block to where a device hangs, and its attributes there.
 */
#include "device/device.h"

#include "testing.h"

static char *root;

/* Makes a file, or with no text a directory, with all that is above it. */
static void make(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	g_autofree char *above = g_path_get_dirname(path);

	g_assert_no_errno(g_mkdir_with_parents(text ? above : path, 0755));
	if (text)
		file_write(path, text);
}

static void make_link(const char *name, const char *target)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	g_autofree char *above = g_path_get_dirname(path);

	g_assert_no_errno(g_mkdir_with_parents(above, 0755));
	g_assert_no_errno(symlink(target, path));
}

static void make_scsi_disk(void)
{
	make("devices/host2/2:0:0:0/scsi_level", "7\n");
	make("bus/scsi/uevent", "");
	make_link("devices/host2/2:0:0:0/subsystem", "../../../bus/scsi");
	make("devices/host2/2:0:0:0/block/sda/dev", "8:0\n");
	make_link("devices/host2/2:0:0:0/block/sda/device", "../..");
	make_link("dev/block/8:0", "../../devices/host2/2:0:0:0/block/sda");

	make("devices/host2/2:0:0:0/block/sda/sda1/partition", "1\n");
	make_link("dev/block/8:1",
		  "../../devices/host2/2:0:0:0/block/sda/sda1");

	make("devices/host2/2:0:0:0/scsi_generic/sg0/dev", "21:0\n");
	make_link("devices/host2/2:0:0:0/scsi_generic/sg0/device", "../..");
	make_link("dev/char/21:0",
		  "../../devices/host2/2:0:0:0/scsi_generic/sg0");
}

static void make_mapped(const char *number, const char *name, const char *uuid)
{
	g_autofree char *link = g_strdup_printf("dev/block/%s", number);
	g_autofree char *target =
		g_strdup_printf("../../devices/virtual/block/%s", name);
	g_autofree char *file =
		g_strdup_printf("devices/virtual/block/%s/dm/uuid", name);

	make(file, uuid);
	make_link(link, target);
}

static void make_others(void)
{
	make("devices/virtual/block/loop0/loop/offset", "0\n");
	make_link("dev/block/7:0", "../../devices/virtual/block/loop0");

	make_link("devices/nvme0/subsystem", "../../class/nvme");
	make("devices/nvme0/nvme0n1/nsid", "1\n");
	make_link("devices/nvme0/nvme0n1/device", "../");
	make("class/nvme/uevent", "");
	make_link("dev/block/259:0", "../../devices/nvme0/nvme0n1");
	make("devices/nvme0/nvme0n1/nvme0n1p1/partition", "1\n");
	make_link("dev/block/259:1", "../../devices/nvme0/nvme0n1/nvme0n1p1");

	make("bus/virtio/uevent", "");
	make_link("devices/virtio1/subsystem", "../../bus/virtio");
	make("devices/virtio1/block/vda/dev", "252:0\n");
	make_link("devices/virtio1/block/vda/device", "../..");
	make_link("dev/block/252:0", "../../devices/virtio1/block/vda");

	/* A disk that is going: its node hangs nowhere any more. */
	make_link("dev/block/8:160", "../../devices/gone/block/sdk");
	/* Its SCSI device has lost the link to the bus. */
	make("devices/host3/3:0:0:0/block/sdl/dev", "8:176\n");
	make_link("devices/host3/3:0:0:0/block/sdl/device", "../..");
	make_link("dev/block/8:176", "../../devices/host3/3:0:0:0/block/sdl");
}

static void make_tree(void)
{
	root = directory_new();
	make_scsi_disk();
	make_mapped("253:0", "dm-0", "mpath-36001405aaaabbbb\n");
	make_mapped("253:1", "dm-1", "LVM-Ab12Cd34\n");
	make_mapped("253:2", "dm-2", "part1-mpath-36001405aaaabbbb\n");
	make_mapped("253:3", "dm-3", "");
	make_mapped("253:4", "dm-4", "mpath");
	make_mapped("253:5", "dm-5", "mpath-");
	make_others();
}

typedef struct KindCase {
	bool block;
	unsigned int major, minor;
	DeviceKind kind;
	const char *name;
} KindCase;

static const KindCase kind_cases[] = {
	{ true, 8, 0, DEVICE_SCSI, "sda" },
	{ false, 21, 0, DEVICE_SCSI, "sg0" },
	{ true, 8, 1, DEVICE_PARTITION, "sda1" },
	{ true, 253, 0, DEVICE_MULTIPATH, "dm-0" },
	{ true, 253, 1, DEVICE_VOLUME, "dm-1" },
	{ true, 253, 2, DEVICE_VOLUME, "dm-2" },
	{ true, 253, 3, DEVICE_VOLUME, "dm-3" },
	{ true, 253, 4, DEVICE_VOLUME, "dm-4" },
	{ true, 253, 5, DEVICE_MULTIPATH, "dm-5" },
	{ true, 7, 0, DEVICE_OTHER, "loop0" },
	{ true, 259, 0, DEVICE_OTHER, "nvme0n1" },
	{ true, 259, 1, DEVICE_PARTITION, "nvme0n1p1" },
	{ true, 252, 0, DEVICE_OTHER, "vda" },
	{ true, 8, 160, DEVICE_UNKNOWN, "sdk" },
	{ true, 8, 176, DEVICE_OTHER, "sdl" },
	{ true, 8, 32, DEVICE_UNKNOWN, "" },
	/* The same number as the other kind of node. */
	{ false, 8, 0, DEVICE_UNKNOWN, "" },
	{ true, 21, 0, DEVICE_UNKNOWN, "" },
	/* Numbers that begin like others'. */
	{ true, 8, 10, DEVICE_UNKNOWN, "" },
	{ true, 80, 0, DEVICE_UNKNOWN, "" },
};

static void test_kinds(void)
{
	make_tree();
	for (size_t i = 0; i < G_N_ELEMENTS(kind_cases); i++) {
		const KindCase *this = &kind_cases[i];

		g_test_message("%u:%u", this->major, this->minor);
		g_assert_cmpint(device_kind(root, this->block, this->major,
					    this->minor),
				==, this->kind);
	}
	directory_remove(root);
	g_clear_pointer(&root, g_free);
}

static void test_names(void)
{
	char name[DEVICE_NAME_SIZE];

	make_tree();
	for (size_t i = 0; i < G_N_ELEMENTS(kind_cases); i++) {
		const KindCase *this = &kind_cases[i];

		memset(name, 'x', sizeof(name));
		device_name(root, this->block, this->major, this->minor, name);
		g_assert_cmpstr(name, ==, this->name);
	}
	directory_remove(root);
	g_clear_pointer(&root, g_free);
}

/* Longer than any kernel name: cut, not written beyond the array. */
static void test_long_name(void)
{
	g_autofree char *target = g_strnfill(200, 'a');
	struct {
		char name[DEVICE_NAME_SIZE];
		char behind;
	} room = { .behind = 'b' };

	root = directory_new();
	make_link("dev/block/8:0", target);
	device_name(root, true, 8, 0, room.name);
	g_assert_cmpuint(strlen(room.name), ==, DEVICE_NAME_SIZE - 1);
	g_assert_cmpint(room.behind, ==, 'b');
	directory_remove(root);
	g_clear_pointer(&root, g_free);
}

static void test_no_sysfs(void)
{
	char name[DEVICE_NAME_SIZE] = "x";

	g_assert_cmpint(device_kind("/nonexistent", true, 8, 0), ==,
			DEVICE_UNKNOWN);
	device_name("/nonexistent", true, 8, 0, name);
	g_assert_cmpstr(name, ==, "");
}

/* Each fits into the reason of an answer, behind "it is ". */
static void test_texts(void)
{
	for (DeviceKind i = 0; i < DEVICE_KIND_COUNT; i++) {
		const char *text = device_kind_text(i);

		g_assert_cmpuint(strlen(text), >, 0);
		g_assert_cmpuint(strlen(text), <=, 150);
		g_assert_false(g_str_has_prefix(text, "is "));
	}
}

static void test_file_texts(void)
{
	static const mode_t modes[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK,
					S_IFLNK, S_IFBLK, S_IFCHR, 0 };

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		const char *text = device_file_text(modes[i] | 0644);

		g_assert_true(g_str_has_prefix(text, "a"));
		for (size_t j = 0; j < i; j++)
			g_assert_cmpstr(device_file_text(modes[j]), !=, text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/device/kinds", test_kinds);
	g_test_add_func("/device/names", test_names);
	g_test_add_func("/device/long-name", test_long_name);
	g_test_add_func("/device/no-sysfs", test_no_sysfs);
	g_test_add_func("/device/texts", test_texts);
	g_test_add_func("/device/file-texts", test_file_texts);
	return g_test_run();
}
