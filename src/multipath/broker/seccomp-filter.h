/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that the broker and its children need, as a BPF program.
 */
#ifndef MULTIPATH_SECCOMP_FILTER_H
#define MULTIPATH_SECCOMP_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>

/* Borrowed, for good. False with errno = ENOSYS: not written for this
 * processor. */
bool seccomp_filter_get(struct sock_fprog *ret_filter);

#endif
