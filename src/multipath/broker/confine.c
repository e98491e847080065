/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock and seccomp without a library. Both are optional in kernels, so
 * what is missing is told and done without; what is there has to work, and
 * is seen to work before anything is served.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "seccomp-filter.h"

/* Rights of later versions than the build's headers. */
#define RIGHT_REFER    (UINT64_C(1) << 13)
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)

/* Those of the first version: bits 0 to 12. */
#define RIGHTS_FIRST (RIGHT_REFER - 1)

/* The right to ioctl() devices, of version 5, is not among them: the kernel
 * notes it in the open file, and the helper needs SG_IO on what the broker has
 * opened. */
static uint64_t rights_known(long version)
{
	return RIGHTS_FIRST | (version >= 2 ? RIGHT_REFER : 0) |
	       (version >= 3 ? RIGHT_TRUNCATE : 0);
}

static bool allow_below(int ruleset, const char *path, uint64_t rights)
{
	autofd directory = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights,
		.parent_fd = directory,
	};

	return directory >= 0 &&
	       syscall(SYS_landlock_add_rule, ruleset,
		       LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool confine_files(long version)
{
	struct landlock_ruleset_attr handled = {
		.handled_access_fs = rights_known(version),
	};
	autofd ruleset = (int)syscall(SYS_landlock_create_ruleset,
				      &handled.handled_access_fs,
				      sizeof(handled.handled_access_fs), 0);

	return ruleset >= 0 &&
	       allow_below(ruleset, "/dev", LANDLOCK_ACCESS_FS_READ_FILE) &&
	       allow_below(ruleset, "/sys",
			   LANDLOCK_ACCESS_FS_READ_FILE |
				   LANDLOCK_ACCESS_FS_READ_DIR) &&
	       syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

/* 0 or less: the kernel has none, it is switched off, or a service manager's
 * filter forbids the call. */
static long landlock_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION);
}

static bool is_forbidden(const char *path, int flags)
{
	autofd fd = open(path, flags | O_CLOEXEC);

	return fd < 0 && errno == EACCES;
}

static bool verify_files(GError **error)
{
	if (is_forbidden("/", O_RDONLY) && is_forbidden("/dev/null", O_WRONLY))
		return true;
	error_set(error, "Landlock was switched on and does not work");
	return false;
}

/* On s390x libc may make sockets by socketcall, whose arguments no filter
 * sees. */
#ifdef __s390x__
static bool call_is_forbidden(void)
{
	return kill(getpid(), 0) < 0 && errno == ENOSYS;
}
#else
static bool call_is_forbidden(void)
{
	autofd fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 && errno == ENOSYS;
}
#endif

static bool verify_calls(GError **error)
{
	if (call_is_forbidden())
		return true;
	error_set(error, "seccomp was switched on and does not work");
	return false;
}

bool confine(Confinement *ret_done, GError **error)
{
	long version = landlock_version();
	struct sock_fprog filter;

	*ret_done = (Confinement) { .files = version > 0 };
	if (ret_done->files && !confine_files(version)) {
		error_set_errno(error, "cannot switch on Landlock");
		return false;
	}
	/* Now: the filter would forbid what Landlock does. */
	if (ret_done->files && !verify_files(error))
		return false;
	ret_done->calls =
		seccomp_filter_get(&filter) &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
	if (!ret_done->calls && errno != EINVAL && errno != ENOSYS) {
		error_set_errno(error, "cannot switch on seccomp");
		return false;
	}
	return !ret_done->calls || verify_calls(error);
}
