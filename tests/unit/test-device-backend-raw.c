/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing is sent to a device of which sysfs does not say that it is a whole
 * SCSI device. The test counts the calls of SG_IO itself. What sysfs does say
 * of real devices, and what these answer, is tested in the virtual machine.
 */
#include <linux/fs.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "device/backend.h"
#include "testing.h"

#ifndef BLKGETDISKSEQ /* headers before 5.15 */
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

static unsigned int sent;

/* In place of the C library's, for the code under test: each disk has the same
 * sequence number, and takes every command. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	(void)fd;
	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == BLKGETDISKSEQ) {
		*(uint64_t *)argument = 42;
		return 0;
	}
	g_assert_cmphex(request, ==, SG_IO);
	sent++;
	return 0;
}

static Command *command_of(bool block, unsigned int major, unsigned int minor)
{
	uint8_t cdb[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_IN };
	Command *command;
	ScsiPrCdb pr;

	g_assert_true(scsi_pr_cdb_get(cdb, &pr));
	command = command_new(cdb, &pr, open("/dev/null", O_RDWR | O_CLOEXEC));
	command->block = block;
	command->major = major;
	command->minor = minor;
	command->queue_key = makedev(major, minor) << 1 | block;
	return command;
}

static void assert_refused(bool block, unsigned int major, unsigned int minor,
			   const char *word)
{
	Command *command = command_of(block, major, minor);

	sent = 0;
	backend_raw.execute(command, g_get_monotonic_time() + (gint64)60000000);
	g_assert_cmpuint(sent, ==, 0);
	g_assert_cmpint(command->failure, ==, FAILURE_NO_SCSI_DEVICE);
	g_assert_cmphex(command->reply.status, ==, SCSI_CHECK_CONDITION);
	assert_sense(command->reply.sense, WIRE_SENSE_SIZE,
		     failure_sense(FAILURE_NO_SCSI_DEVICE));
	g_test_message("%s", command->reason);
	g_assert_nonnull(strstr(command->reason, word));
	command_free(command);
}

/* Deleted, or no sysfs here. No driver has such minor numbers. */
static void test_unknown(void)
{
	assert_refused(true, 8, 0xfffff, "not in /sys/dev");
	/* That it was looked at once is no proof for the next time. */
	assert_refused(true, 8, 0xfffff, "not in /sys/dev");
	assert_refused(false, 21, 0xfffff, "not in /sys/dev");
}

/* /dev/null's number: sysfs has it, and it has nothing to do with SCSI. */
static void test_other(void)
{
	if (access("/sys/dev/char/1:3", F_OK) < 0) {
		g_test_skip("there is no sysfs here");
		return;
	}
	assert_refused(false, 1, 3, "not a SCSI device");
}

static bool claims(mode_t mode, unsigned int major)
{
	struct statx status = { .stx_mode = (uint16_t)mode,
				.stx_rdev_major = major,
				.stx_rdev_minor = 3 };
	uint64_t key = 0;

	return backend_raw.claims(&status, &key);
}

/* Any block device, as dm and NVMe get reasons of their own; no other
 * character device than a SCSI generic node. */
static void test_claims(void)
{
	g_assert_true(claims(S_IFBLK, 8));
	g_assert_true(claims(S_IFBLK, 259));
	g_assert_true(claims(S_IFCHR, 21));
	g_assert_false(claims(S_IFCHR, 8));
	g_assert_false(claims(S_IFREG, 0));
	g_assert_false(claims(S_IFIFO, 21));
}

/* No two devices queue together: not a disk and the SCSI generic node of its
 * number, nor of the next one. */
static void test_queue_keys(void)
{
	uint64_t keys[4];

	for (unsigned int i = 0; i < G_N_ELEMENTS(keys); i++) {
		struct statx status = { .stx_mode = i & 1 ? S_IFBLK : S_IFCHR,
					.stx_rdev_major = 21,
					.stx_rdev_minor = i >> 1 };

		g_assert_true(backend_raw.claims(&status, &keys[i]));
		for (unsigned int j = 0; j < i; j++)
			g_assert_cmpuint(keys[i], !=, keys[j]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/backend-raw/unknown", test_unknown);
	g_test_add_func("/backend-raw/other", test_other);
	g_test_add_func("/backend-raw/claims", test_claims);
	g_test_add_func("/backend-raw/queue-keys", test_queue_keys);
	return g_test_run();
}
