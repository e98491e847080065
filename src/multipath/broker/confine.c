/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock and seccomp without a library. Both are optional in kernels, so
 * what is missing is told and done without; what is there has to work, and
 * is seen to work before anything is served.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "seccomp-filter.h"

/* Landlock as the kernel has it for good. Headers before 5.13 do not have it,
 * later ones not all of it; whether the running kernel does is asked. */
#ifndef __NR_landlock_create_ruleset
#if defined(__mips__) || defined(__alpha__) /* count otherwise */
#define __NR_landlock_create_ruleset (-1)
#define __NR_landlock_add_rule       (-1)
#define __NR_landlock_restrict_self  (-1)
#else
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule       445
#define __NR_landlock_restrict_self  446
#endif
#endif

#define ASK_VERSION  1 /* a flag of landlock_create_ruleset */
#define PATH_BENEATH 1 /* a type of rule */

typedef struct __attribute__((packed)) PathBeneath {
	uint64_t allowed;
	int32_t parent;
} PathBeneath;

#define RIGHT_READ_FILE (UINT64_C(1) << 2)
#define RIGHT_READ_DIR  (UINT64_C(1) << 3)
#define RIGHT_REFER     (UINT64_C(1) << 13)
#define RIGHT_TRUNCATE  (UINT64_C(1) << 14)

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
	PathBeneath rule = { .allowed = rights, .parent = directory };

	return directory >= 0 && syscall(__NR_landlock_add_rule, ruleset,
					 PATH_BENEATH, &rule, 0) == 0;
}

static bool confine_files(long version)
{
	/* The first member of the kernel's structure, and the only one of the
	 * first version. */
	uint64_t handled = rights_known(version);
	autofd ruleset = (int)syscall(__NR_landlock_create_ruleset, &handled,
				      sizeof(handled), 0);

	return ruleset >= 0 && allow_below(ruleset, "/dev", RIGHT_READ_FILE) &&
	       allow_below(ruleset, "/sys", RIGHT_READ_FILE | RIGHT_READ_DIR) &&
	       syscall(__NR_landlock_restrict_self, ruleset, 0) == 0;
}

/* 0 or less: the kernel has none, it is switched off, or a service manager's
 * filter forbids the call. */
static long landlock_version(void)
{
	return syscall(__NR_landlock_create_ruleset, NULL, 0, ASK_VERSION);
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
