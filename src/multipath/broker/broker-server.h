/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The broker's side of its socket: a process of its own, from the fork on.
 *
 * A request is one packet, a PrivilegedRequest with two descriptors: of the
 * map, and of the socket that this one request's reply goes to, so that
 * answers never mix. The first packet, before any request, is a BrokerReady.
 */
#ifndef MULTIPATH_BROKER_SERVER_H
#define MULTIPATH_BROKER_SERVER_H

#include <sys/types.h>

#include "confine.h"
#include "multipath/broker/privileged.h"

/* At its limit of children it answers EAGAIN. A child lasts until its open(),
 * or multipathd, has answered. */
#define BROKER_CHILDREN_MAX 128

typedef struct BrokerReady {
	Confinement confinement;
	char error[512]; /* why it will not serve; "" if it will */
} BrokerReady;

/* privileged_execute(), or what a test has in its place. */
typedef void BrokerExecute(const PrivilegedRequest *request, int map,
			   PrivilegedReply *ret_reply, int *ret_fd);

/* Gives up everything but uid 0, and executes requests until the other end of
 * the socket is closed. `client` is the process that has it. Takes the process
 * over: signals, descriptors, name. */
_Noreturn void broker_serve(int socket, pid_t client, BrokerExecute *execute);

#endif
