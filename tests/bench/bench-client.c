/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load of the benchmark: clients of a helper that send one command after
 * the other, or SG_IO itself for comparison.
 *
 *   bench-client sgio DEVICE SECONDS
 *   bench-client load PATH HOW COMMAND CLIENTS SECONDS DEVICE...
 *   bench-client quiet PATH SECONDS DEVICE
 *   bench-client hang PATH DEVICE CONNECTIONS
 *   bench-client bare PATH
 *
 * "load" has CLIENTS that know nothing of each other, as the QEMUs of a host
 * do: HOW is "threads" or "processes"; each sends a command with a blocking
 * call and waits for its answer with another. COMMAND is "in", READ KEYS, or
 * "out", a RESERVE and a RELEASE in turn. They use the devices in turn. "quiet"
 * has two clients: one sends as fast as it can, and only the other counts,
 * which sends a command every 20 ms.
 *
 * "hang" sends one command on each connection and waits for the end of standard
 * input, not for answers. "bare" is the other end: the least that a helper can
 * do for a READ KEYS, with a thread for each client and no check of anything;
 * the limit.
 *
 * The result is one line: operations, seconds, p50, p99 and longest latency in
 * microseconds; a request that has no answer at the end counts with the time
 * that it has waited.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "scsi/scsi.h"
#include "scsi/wire.h"

/* As sg_persist asks. */
#define ALLOCATION_LENGTH WIRE_DATA_MAX

/* Of all clients together. */
#define LATENCIES_MAX 4000000
#define CLIENTS_MAX   256

#define KEY               0x42
#define PARAMETERS_SIZE   24
#define QUIET_INTERVAL_MS 20

static const uint8_t read_keys[WIRE_CDB_SIZE] = {
	SCSI_PERSISTENT_RESERVE_IN, [7] = ALLOCATION_LENGTH >> 8,
	[8] = ALLOCATION_LENGTH & 0xff
};

static const uint8_t register_key[WIRE_CDB_SIZE] = {
	SCSI_PERSISTENT_RESERVE_OUT,
	SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY, [8] = PARAMETERS_SIZE
};
static const uint8_t reserve[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
						SCSI_PR_OUT_RESERVE,
						5, [8] = PARAMETERS_SIZE };
static const uint8_t release[WIRE_CDB_SIZE] = { SCSI_PERSISTENT_RESERVE_OUT,
						SCSI_PR_OUT_RELEASE,
						5, [8] = PARAMETERS_SIZE };

/* One client. */
typedef struct Client {
	int socket;
	int device;
	bool counts; /* its latencies do */
	bool sends_out;
	int interval_ms; /* between its commands */
	uint8_t data[WIRE_DATA_MAX];
} Client;

/* What all clients share, processes too. */
typedef struct Load {
	pthread_barrier_t start;
	int64_t end; /* nanoseconds */
	atomic_size_t count;
	uint32_t latencies[LATENCIES_MAX]; /* nanoseconds; up to 4 seconds */
} Load;

static Load *load;

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void note(int64_t since)
{
	size_t i = atomic_fetch_add(&load->count, 1);

	if (i < LATENCIES_MAX)
		load->latencies[i] = (uint32_t)(now() - since);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_result(int64_t start)
{
	double seconds = (double)(now() - start) / 1e9;
	size_t count = MIN(load->count, LATENCIES_MAX);
	size_t median = count / 2, percentile = count * 99 / 100;
	uint32_t *latencies = load->latencies;

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
	if (size > 0 && recv(fd, bytes, size, MSG_WAITALL) != (ssize_t)size)
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

static void send_request(const Client *client, const uint8_t *cdb)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec run = { (void *)cdb, WIRE_CDB_SIZE };
	struct msghdr message = { .msg_iov = &run,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	uint8_t parameters[PARAMETERS_SIZE] = { 0 };

	memcpy(CMSG_DATA(&control.header), &client->device, sizeof(int));
	if (sendmsg(client->socket, &message, MSG_NOSIGNAL) != WIRE_CDB_SIZE)
		err(1, "sendmsg");
	if (cdb[0] == SCSI_PERSISTENT_RESERVE_IN)
		return;
	/* To register the key is the service action key. */
	parameters[cdb == register_key ? 15 : 7] = KEY;
	if (send(client->socket, parameters, sizeof(parameters),
		 MSG_NOSIGNAL) != sizeof(parameters))
		err(1, "send");
}

static void wait_for_reply(Client *client)
{
	uint8_t header[WIRE_REPLY_SIZE];

	read_exactly(client->socket, header, sizeof(header));
	if (be32_get(header) != SCSI_GOOD)
		errx(1, "status 0x%02x", be32_get(header));
	read_exactly(client->socket, client->data,
		     MIN(be32_get(header + 4), sizeof(client->data)));
}

static void *run_client(void *data)
{
	Client *client = data;
	const uint8_t *cdb = client->sends_out ? reserve : read_keys;
	int64_t since;

	if (client->sends_out) {
		send_request(client, register_key);
		wait_for_reply(client);
	}
	pthread_barrier_wait(&load->start);
	while ((since = now()) < load->end) {
		send_request(client, cdb);
		wait_for_reply(client);
		if (client->counts)
			note(since);
		if (client->sends_out)
			cdb = cdb == reserve ? release : reserve;
		if (client->interval_ms > 0)
			poll(NULL, 0, client->interval_ms);
	}
	return NULL;
}

static void begin_load(unsigned int clients)
{
	pthread_barrierattr_t shared;

	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	/* And this one, which sets the time. */
	pthread_barrier_init(&load->start, &shared, clients + 1);
}

/* Sets the clients off. Returns when. */
static int64_t start_load(double seconds)
{
	int64_t start = now();

	load->end = start + (int64_t)(seconds * 1e9);
	pthread_barrier_wait(&load->start);
	return start;
}

static void run_threads(Client *clients, unsigned int number, double seconds)
{
	pthread_t threads[CLIENTS_MAX];
	int64_t start;

	for (unsigned int i = 0; i < number; i++)
		if (pthread_create(&threads[i], NULL, run_client, &clients[i]))
			errx(1, "cannot start a thread");
	start = start_load(seconds);
	for (unsigned int i = 0; i < number; i++)
		pthread_join(threads[i], NULL);
	print_result(start);
}

static void run_processes(Client *clients, unsigned int number, double seconds)
{
	int64_t start;
	int status;

	for (unsigned int i = 0; i < number; i++) {
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			run_client(&clients[i]);
			_exit(0);
		}
	}
	start = start_load(seconds);
	for (unsigned int i = 0; i < number; i++)
		if (wait(&status) < 0 || status != 0)
			errx(1, "a client failed");
	print_result(start);
}

static void run_load(const char *path, const char *how, const char *command,
		     unsigned int number, double seconds, char **devices)
{
	Client *clients = g_new0(Client, number);
	unsigned int n_devices = g_strv_length(devices);

	if (number > CLIENTS_MAX || n_devices == 0)
		errx(1, "too many clients, or no device");
	for (unsigned int i = 0; i < number; i++)
		clients[i] = (Client) {
			.socket = connect_to(path),
			.device = open_device(devices[i % n_devices]),
			.counts = true,
			.sends_out = strcmp(command, "out") == 0,
		};
	begin_load(number);
	if (strcmp(how, "threads") == 0)
		run_threads(clients, number, seconds);
	else
		run_processes(clients, number, seconds);
}

static void run_quiet(const char *path, double seconds, const char *device)
{
	int fd = open_device(device);
	Client *clients = g_new0(Client, 2);

	clients[0] = (Client) { .socket = connect_to(path), .device = fd };
	clients[1] = (Client) { .socket = connect_to(path),
				.device = fd,
				.counts = true,
				.interval_ms = QUIET_INTERVAL_MS };
	begin_load(2);
	run_threads(clients, 2, seconds);
}

static void run_hang(const char *path, const char *device, size_t connections)
{
	int fd = open_device(device);
	char byte;

	for (size_t i = 0; i < connections; i++) {
		Client client = { .socket = connect_to(path), .device = fd };

		send_request(&client, read_keys);
	}
	puts("sent");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) < 0)
		err(1, "read");
}

/* --- the least that a helper can do ----------------------------------------
 */

static bool serve_one(int client)
{
	static _Thread_local struct {
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

static void *serve_client(void *data)
{
	uint8_t features[WIRE_FEATURES_SIZE] = { 0 };
	int client = GPOINTER_TO_INT(data);

	if (send(client, features, sizeof(features), MSG_NOSIGNAL) > 0 &&
	    recv(client, features, sizeof(features), 0) > 0)
		while (serve_one(client))
			;
	close(client);
	return NULL;
}

static void run_bare(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	int client;

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, CLIENTS_MAX) < 0)
		err(1, "%s", path);
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		if (pthread_create(&thread, NULL, serve_client,
				   GINT_TO_POINTER(client)))
			errx(1, "cannot start a thread");
		pthread_detach(thread);
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
	load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (load == MAP_FAILED)
		err(1, "mmap");
	if (argc == 4 && strcmp(argv[1], "sgio") == 0)
		run_sgio(argv[2], atof(argv[3]));
	else if (argc >= 8 && strcmp(argv[1], "load") == 0)
		run_load(argv[2], argv[3], argv[4],
			 (unsigned int)strtoul(argv[5], NULL, 10),
			 atof(argv[6]), argv + 7);
	else if (argc == 5 && strcmp(argv[1], "quiet") == 0)
		run_quiet(argv[2], atof(argv[3]), argv[4]);
	else if (argc == 5 && strcmp(argv[1], "hang") == 0)
		run_hang(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	else if (argc == 3 && strcmp(argv[1], "bare") == 0)
		run_bare(argv[2]);
	else
		errx(1, "wrong arguments; the head of the source names them");
	return 0;
}
