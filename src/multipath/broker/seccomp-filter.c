/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allow-list: any other system call fails with ENOSYS, as in a kernel that
 * has not got it, so that a newer libc falls back instead of dying.
 */
#include "seccomp-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define THIS_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define THIS_ARCH AUDIT_ARCH_S390X
#elif defined(__riscv) && __riscv_xlen == 64
#define THIS_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef THIS_ARCH

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_WORD 4
#else
#define LOW_WORD 0
#endif

/* s390's own order has the stack first. */
#ifdef __s390x__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* uid 0 could gain every capability in a user namespace of its own. */
#define NAMESPACES                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define LOAD(member)                       \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 offsetof(struct seccomp_data, member))
#define LOAD_ARGUMENT(n)                   \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 offsetof(struct seccomp_data, args[n]) + LOW_WORD)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE       RETURN(SECCOMP_RET_ERRNO | ENOSYS)

#define ALLOW(call)                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), \
		RETURN(SECCOMP_RET_ALLOW)
#define ALLOW_WITH(call, argument, value)                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4),   \
		LOAD_ARGUMENT(argument),                          \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), \
		RETURN(SECCOMP_RET_ALLOW), REFUSE
#define ALLOW_WITHOUT(call, argument, bits)                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4),   \
		LOAD_ARGUMENT(argument),                          \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0), \
		RETURN(SECCOMP_RET_ALLOW), REFUSE

/* What some processors lack is not called there. */
static struct sock_filter program[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),

	/* Requests, replies, and multipathd. */
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(recvfrom),
	ALLOW(sendto),
	ALLOW_WITH(socket, 0, AF_UNIX),
	ALLOW(connect),
	ALLOW(getsockopt),
	ALLOW(setsockopt),
#ifdef __s390x__ /* what libc may make of all these there, and there only */
	ALLOW(socketcall),
#endif
	ALLOW(ppoll),
#ifdef __NR_poll
	ALLOW(poll),
#endif

	/* Looking into sysfs, and opening paths. */
	ALLOW_WITHOUT(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC),
	ALLOW(close),
	ALLOW(read),
	ALLOW(lseek),
	/* To F_GETFL; F_SETOWN would be a kill() for uid 0. */
	ALLOW_WITHOUT(fcntl, 1, ~F_GETFL),
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(getdents64),
	ALLOW(readlinkat),
	ALLOW(faccessat),
#ifdef __NR_faccessat2
	ALLOW(faccessat2),
#endif
#ifdef __NR_readlink
	ALLOW(readlink),
#endif
#ifdef __NR_access
	ALLOW(access),
#endif

	/* A child for each request. */
	ALLOW_WITHOUT(clone, CLONE_FLAGS, NAMESPACES),
	ALLOW_WITH(prctl, 0, PR_SET_PDEATHSIG),
	ALLOW(pipe2),
	ALLOW(wait4),
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(set_robust_list),

	/* libc. */
	ALLOW(brk),
	ALLOW(mmap),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(mprotect),
	ALLOW(madvise),
	ALLOW(futex),
	ALLOW(getpid),
	ALLOW(getppid),
	ALLOW(geteuid),
	ALLOW(gettid),
	ALLOW(getrandom),
	ALLOW(clock_gettime),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
#ifdef __NR_rseq
	ALLOW(rseq),
#endif
#ifdef __SANITIZE_ADDRESS__ /* does this before each _exit() */
	ALLOW(sigaltstack),
#endif
	REFUSE,
};

bool seccomp_filter_get(struct sock_fprog *ret_filter)
{
	ret_filter->len = sizeof(program) / sizeof(program[0]);
	ret_filter->filter = program;
	return true;
}

#else

bool seccomp_filter_get(struct sock_fprog *ret_filter)
{
	(void)ret_filter;
	errno = ENOSYS;
	return false;
}

#endif
