/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be had for the descriptor of a map, and that nothing else may. Any
 * block device of this machine serves as the map, and as a path of it: sysfs
 * is a tree that says so. Only where there is none (it takes root to open one)
 * are these tests skipped.
 */
#include "multipath/broker/privileged.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "multipath/host/multipathd.h"
#include "testing.h"

static char *root, *dev;
static char device[64]; /* its node */
static dev_t device_number;
static unsigned int device_major, device_minor;
static PrivilegedReply reply;
static int opened;

static void make_directory(const char *path)
{
	g_assert_no_errno(g_mkdir_with_parents(path, 0755));
}

static void make(const char *directory, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autofree char *above = g_path_get_dirname(path);

	make_directory(above);
	file_write(path, text);
}

static void make_link(const char *directory, const char *name,
		      const char *target)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autofree char *above = g_path_get_dirname(path);

	make_directory(above);
	g_assert_no_errno(symlink(target, path));
}

/* sysfs says that the device is a map over two paths, the first of which is
 * itself; /dev is a directory that has a link to it. */
static bool make_map(const char *path)
{
	g_autofree char *number = NULL, *link = NULL, *block = NULL;
	g_autofree char *slave = NULL, *target = NULL;

	if (!block_device_find(0, device, sizeof(device), &device_number)) {
		g_test_skip("no block device can be opened");
		return false;
	}
	device_major = major(device_number);
	device_minor = minor(device_number);
	root = directory_new();
	dev = g_build_filename(root, "nodes", NULL);
	make_directory(dev);
	number = g_strdup_printf("%u:%u\n", device_major, device_minor);
	link = g_strdup_printf("dev/block/%u:%u", device_major, device_minor);
	block = g_build_filename(root, "scsi/2:0:0:1/block", path, NULL);
	make_link(root, link, "../../dm-3");
	make(root, "dm-3/dm/uuid", "mpath-3600\n");
	make(root, "dm-3/dm/name", "mpatha\n");
	make_link(root, "dm-3/device", "../scsi/2:0:0:1");
	make_link(root, "scsi/2:0:0:1/subsystem", "../../bus/scsi");
	make(root, "bus/scsi/uevent", "");
	make(block, "dev", number);
	make_link(block, "device", "../../../2:0:0:1");
	slave = g_build_filename("dm-3/slaves", path, NULL);
	target = g_build_filename("../../scsi/2:0:0:1/block", path, NULL);
	make_link(root, slave, target);
	return true;
}

static void remove_map(void)
{
	directory_remove(root);
	g_clear_pointer(&root, g_free);
	g_clear_pointer(&dev, g_free);
}

static int execute(const PrivilegedRequest *request, int map)
{
	memset(&reply, 0x5a, sizeof(reply));
	opened = 12345;
	privileged_execute_in(root, dev, request, map, &reply, &opened);
	return reply.error;
}

static PrivilegedRequest open_path(void)
{
	return (PrivilegedRequest) {
		.action = PRIVILEGED_OPEN_PATH,
		.major = device_major,
		.minor = device_minor,
	};
}

static int open_map(int flags)
{
	int fd = open(device, flags | O_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void assert_opened(void)
{
	struct stat status;

	g_assert_cmpint(reply.error, ==, 0);
	g_assert_no_errno(fstat(opened, &status));
	g_assert_true(S_ISBLK(status.st_mode));
	g_assert_true(status.st_rdev == makedev(device_major, device_minor));
	g_assert_cmpint(fcntl(opened, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
	g_assert_true(fcntl(opened, F_GETFD) & FD_CLOEXEC);
	fd_clear(&opened);
}

static void test_open(void)
{
	PrivilegedRequest request;
	autofd map = -1;

	if (!make_map("sda"))
		return;
	make_link(dev, "sda", device);
	request = open_path();
	map = open_map(O_RDONLY);
	execute(&request, map);
	assert_opened();
	remove_map();
}

static void test_open_below(void)
{
	PrivilegedRequest request;
	autofd map = -1;

	if (!make_map("bus!unit"))
		return;
	make_link(dev, "bus/unit", device);
	request = open_path();
	map = open_map(O_RDONLY);
	execute(&request, map);
	assert_opened();
	remove_map();
}

static void assert_no_path(int map, const char *node)
{
	g_autofree char *link = g_build_filename(dev, "sda", NULL);
	PrivilegedRequest request = open_path();

	if (!node) {
		g_assert_cmpint(execute(&request, map), ==, ENOENT);
		return;
	}
	make_link(dev, "sda", node);
	g_assert_cmpint(execute(&request, map), ==, ENODEV);
	g_assert_cmpint(opened, ==, -1);
	g_assert_no_errno(unlink(link));
}

/* A node may be missing, or be another's by now. */
static void test_other_node(void)
{
	unsigned int before = descriptor_count();
	char other[64];
	dev_t number;
	int map;

	if (!make_map("sda"))
		return;
	map = open_map(O_RDONLY);
	assert_no_path(map, NULL);
	assert_no_path(map, "/dev/null");
	if (block_device_find(device_number, other, sizeof(other), &number))
		assert_no_path(map, other);
	close(map);
	g_assert_cmpuint(descriptor_count(), ==, before);
	remove_map();
}

static void test_other_number(void)
{
	PrivilegedRequest request;
	autofd map = -1;

	if (!make_map("sda"))
		return;
	make_link(dev, "sda", device);
	map = open_map(O_RDONLY);
	request = open_path();
	request.minor++;
	g_assert_cmpint(execute(&request, map), ==, EINVAL);
	request = open_path();
	request.major++;
	g_assert_cmpint(execute(&request, map), ==, EINVAL);
	g_assert_cmpint(opened, ==, -1);
	remove_map();
}

static void test_no_map(void)
{
	int path, null, pipe_end, witness;
	PrivilegedRequest request;

	if (!make_map("sda"))
		return;
	make_link(dev, "sda", device);
	request = open_path();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pipe_end = descriptor_new(&witness);
	path = open_map(O_PATH);
	g_assert_cmpint(execute(&request, -1), ==, EINVAL);
	g_assert_cmpint(execute(&request, null), ==, EINVAL);
	g_assert_cmpint(execute(&request, pipe_end), ==, EINVAL);
	/* It needs no permission to have one of these. */
	g_assert_cmpint(execute(&request, path), ==, EINVAL);
	close(null);
	close(pipe_end);
	close(witness);
	close(path);
	path = open_map(O_RDWR);
	make(root, "dm-3/dm/uuid", "LVM-3600\n");
	g_assert_cmpint(execute(&request, path), ==, EINVAL);
	close(path);
	remove_map();
}

static void test_unsound(void)
{
	static const PrivilegedRequest unsound[] = {
		{ .action = MULTIPATHD_VERB_COUNT },
		{ .action = PRIVILEGED_OPEN_PATH + 1 },
		{ .action = UINT32_MAX },
		{ .action = MULTIPATHD_GET_KEY, .zero = 1 },
		{ .action = MULTIPATHD_SET_KEY, .key = 0 },
		{ .action = MULTIPATHD_SET_KEY, .key = 1, .aptpl = 2 },
		{ .action = MULTIPATHD_GET_KEY,
		  .timeout_ms = PRIVILEGED_TIMEOUT_MAX_MS + 1 },
		{ .action = MULTIPATHD_GET_KEY, .timeout_ms = UINT32_MAX },
	};
	autofd map = -1;

	g_setenv("MULTIPATH_SOCKET_NAME", "/nonexistent", TRUE);
	if (!make_map("sda"))
		return;
	map = open_map(O_RDWR);
	for (size_t i = 0; i < G_N_ELEMENTS(unsound); i++)
		g_assert_cmpint(execute(&unsound[i], map), ==, EINVAL);
	remove_map();
}

/* Nobody listens; that is an answer. */
static void test_ask(void)
{
	PrivilegedRequest request = { .key = 1, .timeout_ms = 1000 };
	autofd map = -1, reader = -1;

	g_setenv("MULTIPATH_SOCKET_NAME", "/nonexistent", TRUE);
	if (!make_map("sda"))
		return;
	map = open_map(O_RDWR);
	reader = open_map(O_RDONLY);
	for (uint32_t verb = 0; verb < MULTIPATHD_VERB_COUNT; verb++) {
		bool reads = verb == MULTIPATHD_GET_KEY ||
			     verb == MULTIPATHD_GET_HOLD;

		request.action = verb;
		g_assert_cmpint(execute(&request, map), ==, 0);
		g_assert_cmpuint(reply.result, ==, MULTIPATHD_ABSENT);
		g_assert_cmpint(opened, ==, -1);
		g_assert_cmpint(execute(&request, reader), ==,
				reads ? 0 : EACCES);
	}
	remove_map();
}

/* The true directories. */
static void test_here(void)
{
	PrivilegedRequest request = { .action = PRIVILEGED_OPEN_PATH };
	autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	opened = 12345;
	privileged_execute(&request, null, &reply, &opened);
	g_assert_cmpint(reply.error, ==, EINVAL);
	g_assert_cmpint(opened, ==, -1);
}

static void test_answer(void)
{
	static const struct {
		int error;
		MultipathdResult result;
	} cases[] = {
		{ 0, MULTIPATHD_FAILED },
		{ EOPNOTSUPP, MULTIPATHD_DENIED },
		{ EINVAL, MULTIPATHD_UNASKED },
		{ EPIPE, MULTIPATHD_UNASKED },
		{ EPROTO, MULTIPATHD_UNASKED },
		{ EAGAIN, MULTIPATHD_UNASKED },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		PrivilegedReply said = { .error = cases[i].error,
					 .result = MULTIPATHD_FAILED,
					 .key = 0x123,
					 .hold = 1 };
		MultipathdAnswer answer = privileged_answer(&said);

		g_assert_cmpint(answer.result, ==, cases[i].result);
		g_assert_cmphex(answer.key, ==, 0x123);
		g_assert_true(answer.hold && !answer.aptpl);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/privileged/open", test_open);
	g_test_add_func("/privileged/open-below", test_open_below);
	g_test_add_func("/privileged/other-node", test_other_node);
	g_test_add_func("/privileged/other-number", test_other_number);
	g_test_add_func("/privileged/no-map", test_no_map);
	g_test_add_func("/privileged/unsound", test_unsound);
	g_test_add_func("/privileged/ask", test_ask);
	g_test_add_func("/privileged/here", test_here);
	g_test_add_func("/privileged/answer", test_answer);
	return g_test_run();
}
