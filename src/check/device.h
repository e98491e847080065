/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device that a guest is to have.
 */
#ifndef CHECK_DEVICE_H
#define CHECK_DEVICE_H

#include "report.h"

/* By its node. Sends PERSISTENT RESERVE IN; blocks as long as it does. */
void check_device(Check *check, const char *node);

#endif
