/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first look at a descriptor: whatever is no SCSI device is answered, with
 * a reason that tells the operator what it was.
 */
#include "device/backend.h"

#include <linux/capability.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "testing.h"

static Command *command_of(uint8_t opcode, int fd)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { opcode };
	ScsiPrCdb pr = { .opcode = opcode };

	g_assert_no_errno(fd);
	return command_new(cdb, &pr, fd);
}

/* Takes the descriptor. */
static void assert_refused(uint8_t opcode, int fd, Failure failure,
			   const char *word)
{
	Command *command = command_of(opcode, fd);

	g_assert_false(backend_select(command));
	g_assert_cmphex(command->reply.status, ==, SCSI_CHECK_CONDITION);
	g_assert_cmpint(command->failure, ==, failure);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(failure));
	g_test_message("%s", command->reason);
	g_assert_nonnull(strstr(command->reason, word));
	g_assert_null(command->backend);
	/* It is disposed of elsewhere. */
	g_assert_cmpint(command->fd, ==, fd);
	command_free(command);
}

static void assert_kind(int fd, const char *word)
{
	assert_refused(0x5e, fd, FAILURE_NO_SCSI_DEVICE, word);
}

static void test_kinds(void)
{
	g_autofree char *directory = directory_new();
	g_autofree char *path = g_build_filename(directory, "f", NULL);
	int ends[2], witness;

	file_write(path, "text");
	assert_kind(open(path, O_RDWR), "regular file");
	assert_kind(open(directory, O_RDONLY), "directory");
	assert_kind(descriptor_new(&witness), "pipe");
	close(witness);
	g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	assert_kind(ends[0], "socket");
	close(ends[1]);
	assert_kind(eventfd(0, 0), "anonymous");
	assert_kind(open("/dev/null", O_RDWR), "character device");
	directory_remove(directory);
}

static void test_path_only(void)
{
	assert_kind(open("/", O_PATH), "directory");
	assert_refused(0x5f, open("/", O_PATH), FAILURE_NOT_SUPPORTED,
		       "reading only");
}

/* Reading is enough to ask, but not to change. */
static void test_read_only(void)
{
	assert_refused(0x5f, open("/dev/null", O_RDONLY), FAILURE_NOT_SUPPORTED,
		       "reading only");
	assert_refused(0x5f, open("/dev/null", O_WRONLY),
		       FAILURE_NO_SCSI_DEVICE, "character device");
	assert_refused(0x5f, open("/dev/null", O_RDWR), FAILURE_NO_SCSI_DEVICE,
		       "character device");
	assert_refused(0x5e, open("/dev/null", O_RDONLY),
		       FAILURE_NO_SCSI_DEVICE, "character device");
}

static void test_not_open(void)
{
	int witness, fd = descriptor_new(&witness);
	Command *command = command_of(0x5e, fd);

	close(fd);
	g_assert_false(backend_select(command));
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(FAILURE_NO_SCSI_DEVICE));
	command->fd = -1;
	command_free(command);
	close(witness);
}

static void test_device_number(void)
{
	Command *command = command_of(0x5e, open("/dev/null", O_RDWR));

	g_assert_false(backend_select(command));
	g_assert_false(command->block);
	g_assert_cmpuint(command->major, ==, 1);
	g_assert_cmpuint(command->minor, ==, 3);
	command_free(command);
}

static bool claims(mode_t mode, unsigned int major, unsigned int minor,
		   uint64_t *ret_key)
{
	struct statx status = { .stx_mode = (uint16_t)mode,
				.stx_rdev_major = major,
				.stx_rdev_minor = minor };

	return backend_raw.claims(&status, ret_key);
}

static void test_claims(void)
{
	uint64_t keys[5];

	g_assert_true(claims(S_IFBLK, 8, 0, &keys[0]));
	g_assert_true(claims(S_IFBLK, 8, 16, &keys[1]));
	g_assert_true(claims(S_IFBLK, 65, 0, &keys[2]));
	g_assert_true(claims(S_IFBLK, 21, 0, &keys[3]));
	g_assert_true(claims(S_IFCHR, 21, 0, &keys[4]));
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		/* Reserved for the closer. */
		g_assert_cmpuint(keys[i], !=, UINT64_MAX);
		for (size_t j = 0; j < i; j++)
			g_assert_cmpuint(keys[i], !=, keys[j]);
	}
	g_assert_false(claims(S_IFCHR, 1, 3, &keys[0]));
	g_assert_false(claims(S_IFCHR, 9, 0, &keys[0]));
	g_assert_false(claims(S_IFCHR, 8, 0, &keys[0]));
	g_assert_false(claims(S_IFREG, 21, 0, &keys[0]));
	g_assert_false(claims(S_IFDIR, 0, 0, &keys[0]));
}

/* Device-mapper's major is whatever was free. */
static void test_claims_maps(void)
{
	static const unsigned int scsi[] = {
		8, 65, 71, 128, 135, 11,
	};
	static const unsigned int others[] = { 253, 254, 1,   7,   64,
					       72,  127, 136, 259, 0xfff };
	struct statx status = { .stx_mode = S_IFBLK };
	uint64_t key, next;

	for (size_t i = 0; i < G_N_ELEMENTS(scsi); i++) {
		status.stx_rdev_major = scsi[i];
		g_assert_false(backend_multipath.claims(&status, &key));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		status.stx_rdev_major = others[i];
		status.stx_rdev_minor = 0;
		g_assert_true(backend_multipath.claims(&status, &key));
		status.stx_rdev_minor = 1;
		g_assert_true(backend_multipath.claims(&status, &next));
		g_assert_cmpuint(key, !=, next);
	}
	status.stx_mode = S_IFCHR;
	g_assert_false(backend_multipath.claims(&status, &key));
	g_assert_cmpuint(backend_multipath.threads, ==, 1);
}

/* Each kind that a thread finds out about has its answer. */
static void test_refuse_kind(void)
{
	static const struct {
		DeviceKind kind;
		Failure failure;
		const char *word;
	} cases[] = {
		{ DEVICE_PARTITION, FAILURE_NOT_SUPPORTED, "partition" },
		{ DEVICE_VOLUME, FAILURE_NOT_SUPPORTED, "volume" },
		{ DEVICE_OTHER, FAILURE_NO_SCSI_DEVICE, "not a SCSI" },
		{ DEVICE_UNKNOWN, FAILURE_NO_SCSI_DEVICE, "deleted" },
		{ DEVICE_SCSI, FAILURE_NO_SCSI_DEVICE, "another" },
		{ DEVICE_MULTIPATH, FAILURE_NO_SCSI_DEVICE, "another" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Command *command = command_of(0x5e, dup(0));

		backend_refuse_kind(command, cases[i].kind);
		assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
			     failure_sense(cases[i].failure));
		g_assert_nonnull(strstr(command->reason, cases[i].word));
		command_free(command);
	}
}

static void test_capabilities(void)
{
	g_assert_cmphex(backend_capabilities(), ==,
			UINT64_C(1) << CAP_SYS_RAWIO);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/backend/refused/kinds", test_kinds);
	g_test_add_func("/backend/refused/path-only", test_path_only);
	g_test_add_func("/backend/refused/read-only", test_read_only);
	g_test_add_func("/backend/refused/not-open", test_not_open);
	g_test_add_func("/backend/device-number", test_device_number);
	g_test_add_func("/backend/claims", test_claims);
	g_test_add_func("/backend/claims-maps", test_claims_maps);
	g_test_add_func("/backend/refuse-kind", test_refuse_kind);
	g_test_add_func("/backend/capabilities", test_capabilities);
	return g_test_run();
}
