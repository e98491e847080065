/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --check: whether this host is ready for guests, said to an administrator
 * before the first of them starts. One line for each finding on standard
 * output: "ok", or "FIX" and how to. Nothing is changed, and no disk is sent
 * more than PERSISTENT RESERVE IN.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

#include "process/options.h"

/* True: nothing has to be fixed. Blocks as long as a device does. */
bool check_host(const Options *options);

#endif
