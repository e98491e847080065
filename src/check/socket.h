/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket that clients will connect to.
 */
#ifndef CHECK_SOCKET_H
#define CHECK_SOCKET_H

#include "report.h"

void check_socket(Check *check);

#endif
