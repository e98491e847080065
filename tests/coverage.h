/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before everything else that `make coverage` compiles: what a process
 * has counted is kept if it ends with _exit(), too, as the daemon does. A
 * confined process cannot write files; what it has counted is lost.
 */
#include <sys/prctl.h>
#include <unistd.h>

void __gcov_dump(void);

static inline void __attribute__((noreturn, unused)) coverage_exit(int status)
{
	if (prctl(PR_GET_SECCOMP) == 0)
		__gcov_dump();
	_exit(status);
}

#define _exit(status) coverage_exit(status)
