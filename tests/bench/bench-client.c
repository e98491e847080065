/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load of the benchmark: READ KEYS, as fast as the answers come, over one
 * or many connections to a helper, or by SG_IO itself for comparison. One
 * thread, so that with one processor the helper has the rest of it.
 *
 *   bench-client sgio DEVICE SECONDS
 *   bench-client socket PATH DEVICE CONNECTIONS SECONDS
 *   bench-client hang PATH DEVICE CONNECTIONS
 *   bench-client bare PATH
 *
 * "socket" opens CONNECTIONS and sends on all of them. "hang" sends one
 * command on each and waits for the end of standard input, not for answers.
 * "bare" is the other end: the least that a helper can do for a READ KEYS, one
 * client after the other, with no check of anything; the limit.
 * The result is one line: operations, seconds, p50, p99 and longest latency in
 * microseconds; requests that are still without an answer at the end count
 * with the time that they have waited.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "scsi/scsi.h"
#include "scsi/wire.h"

#define ALLOCATION_LENGTH 256
#define LATENCIES_MAX     4000000

static const uint8_t read_keys[WIRE_CDB_SIZE] = {
	SCSI_PERSISTENT_RESERVE_IN, [7] = ALLOCATION_LENGTH >> 8,
	[8] = ALLOCATION_LENGTH & 0xff
};

typedef struct Client {
	int socket;
	int device;
	int64_t sent; /* nanoseconds */
	size_t received;
	uint8_t reply[WIRE_REPLY_SIZE + WIRE_DATA_MAX];
} Client;

static uint32_t *latencies; /* nanoseconds; up to 4 seconds */
static size_t count;

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void note(int64_t since)
{
	if (count < LATENCIES_MAX)
		latencies[count++] = (uint32_t)(now() - since);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_result(int64_t start)
{
	double seconds = (double)(now() - start) / 1e9;
	size_t median = count / 2, percentile = count * 99 / 100;

	if (count == 0)
		errx(1, "not one command was answered");
	qsort(latencies, count, sizeof(*latencies), compare);
	printf("%zu %.6f %.3f %.3f %.3f\n", count, seconds,
	       latencies[median] / 1e3, latencies[percentile] / 1e3,
	       latencies[count - 1] / 1e3);
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* --- directly --------------------------------------------------------------
 */

static void run_sgio(const char *path, double seconds)
{
	static uint8_t data[WIRE_DATA_MAX], sense[WIRE_SENSE_SIZE];
	int fd = open_device(path);
	int64_t start = now(), end = start + (int64_t)(seconds * 1e9);

	while (now() < end) {
		int64_t since = now();
		sg_io_hdr_t io = {
			.interface_id = 'S',
			.cmdp = (unsigned char *)read_keys,
			.cmd_len = SCSI_PR_CDB_LENGTH,
			.dxferp = data,
			.dxfer_len = sizeof(data),
			.dxfer_direction = SG_DXFER_FROM_DEV,
			.sbp = sense,
			.mx_sb_len = sizeof(sense),
			.timeout = 10000,
		};

		if (ioctl(fd, SG_IO, &io) < 0 || io.status)
			err(1, "SG_IO: status 0x%02x", io.status);
		note(since);
	}
	print_result(start);
}

/* --- through a helper ------------------------------------------------------
 */

static void read_exactly(int fd, void *bytes, size_t size)
{
	if (recv(fd, bytes, size, MSG_WAITALL) != (ssize_t)size)
		errx(1, "the helper closed the connection");
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint8_t features[WIRE_FEATURES_SIZE];

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	/* QEMU's helper has a backlog of 1 and refuses bursts. */
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EAGAIN && errno != ECONNREFUSED)
			err(1, "%s", path);
	read_exactly(fd, features, sizeof(features));
	memset(features, 0, sizeof(features));
	if (write(fd, features, sizeof(features)) != sizeof(features))
		err(1, "write");
	return fd;
}

static void send_request(Client *client)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec run = { (void *)read_keys, sizeof(read_keys) };
	struct msghdr message = { .msg_iov = &run,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &client->device, sizeof(int));
	client->received = 0;
	client->sent = now();
	if (sendmsg(client->socket, &message, MSG_NOSIGNAL) !=
	    sizeof(read_keys))
		err(1, "sendmsg");
}

/* True once the whole reply is there. */
static bool receive(Client *client)
{
	ssize_t n = recv(client->socket, client->reply + client->received,
			 sizeof(client->reply) - client->received, 0);

	if (n <= 0)
		errx(1, "the helper closed the connection");
	client->received += (size_t)n;
	if (client->received < WIRE_REPLY_SIZE ||
	    client->received < WIRE_REPLY_SIZE + be32_get(client->reply + 4))
		return false;
	if (be32_get(client->reply) != SCSI_GOOD)
		errx(1, "status 0x%02x", be32_get(client->reply));
	return true;
}

static Client *connect_all(const char *path, const char *device, size_t number)
{
	Client *clients = g_new0(Client, number);
	int fd = open_device(device);

	for (size_t i = 0; i < number; i++)
		clients[i] =
			(Client) { .socket = connect_to(path), .device = fd };
	return clients;
}

static void run_socket(const char *path, const char *device, size_t connections,
		       double seconds)
{
	Client *clients = connect_all(path, device, connections);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int64_t start = now(), end = start + (int64_t)(seconds * 1e9);
	struct epoll_event events[64];

	for (size_t i = 0; i < connections; i++) {
		struct epoll_event event = { .events = EPOLLIN,
					     .data.ptr = &clients[i] };

		epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].socket, &event);
		send_request(&clients[i]);
	}
	while (now() < end) {
		int n = epoll_wait(epoll, events, G_N_ELEMENTS(events), 10000);

		if (n <= 0)
			errx(1, "no answer within 10 seconds");
		for (int i = 0; i < n; i++) {
			Client *client = events[i].data.ptr;

			if (!receive(client))
				continue;
			note(client->sent);
			send_request(client);
		}
	}
	/* Who was never served has waited, too, and for at least so long. */
	for (size_t i = 0; i < connections; i++)
		note(clients[i].sent);
	print_result(start);
}

static void run_hang(const char *path, const char *device, size_t connections)
{
	Client *clients = connect_all(path, device, connections);
	char byte;

	for (size_t i = 0; i < connections; i++)
		send_request(&clients[i]);
	puts("sent");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) < 0)
		err(1, "read");
}

/* --- the least that a helper can do ----------------------------------------
 */

static bool serve_one(int client)
{
	static struct {
		uint8_t header[WIRE_REPLY_SIZE];
		uint8_t data[WIRE_DATA_MAX];
	} reply;
	uint8_t cdb[WIRE_CDB_SIZE], sense[WIRE_SENSE_SIZE];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control;
	struct iovec run = { cdb, sizeof(cdb) };
	struct msghdr message = { .msg_iov = &run,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	sg_io_hdr_t io = { .interface_id = 'S',
			   .cmdp = cdb,
			   .cmd_len = SCSI_PR_CDB_LENGTH,
			   .dxferp = reply.data,
			   .dxfer_len = sizeof(reply.data),
			   .dxfer_direction = SG_DXFER_FROM_DEV,
			   .sbp = sense,
			   .mx_sb_len = sizeof(sense),
			   .timeout = 10000 };
	size_t size;
	int device;

	if (recvmsg(client, &message, MSG_CMSG_CLOEXEC) != sizeof(cdb))
		return false;
	memcpy(&device, CMSG_DATA(&control.header), sizeof(device));
	if (ioctl(device, SG_IO, &io) < 0)
		err(1, "SG_IO");
	close(device);
	size = io.dxfer_len - (unsigned int)io.resid;
	be32_put(reply.header, io.status);
	be32_put(reply.header + 4, (uint32_t)size);
	return send(client, &reply, WIRE_REPLY_SIZE + size, MSG_NOSIGNAL) > 0;
}

static void run_bare(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint8_t features[WIRE_FEATURES_SIZE] = { 0 };
	int client;

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 10) < 0)
		err(1, "%s", path);
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		if (send(client, features, sizeof(features), MSG_NOSIGNAL) >
			    0 &&
		    recv(client, features, sizeof(features), 0) > 0)
			while (serve_one(client))
				;
		close(client);
	}
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	raise_limit();
	latencies = g_new(uint32_t, LATENCIES_MAX);
	if (argc == 4 && strcmp(argv[1], "sgio") == 0)
		run_sgio(argv[2], atof(argv[3]));
	else if (argc == 6 && strcmp(argv[1], "socket") == 0)
		run_socket(argv[2], argv[3], strtoul(argv[4], NULL, 10),
			   atof(argv[5]));
	else if (argc == 5 && strcmp(argv[1], "hang") == 0)
		run_hang(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	else if (argc == 3 && strcmp(argv[1], "bare") == 0)
		run_bare(argv[2]);
	else
		errx(1, "wrong arguments; the head of the source names them");
	return 0;
}
