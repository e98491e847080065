/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm-multipath maps: the world that the policy in policy/ acts upon. The
 * hard rule: nothing is ever sent through the map itself, which would pick any
 * path, hang where there is none, and refuse while it is suspended.
 */
#include <errno.h>
#include <glib.h>
#include <linux/capability.h>
#include <linux/major.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/plural.h"
#include "device/backend.h"
#include "device/device.h"
#include "device/sg-io.h"
#include "multipath/broker/broker.h"
#include "multipath/host/map-record.h"
#include "multipath/policy/execute.h"

/* multipathd's answer is waited for at most, and at least, so long: even past
 * the deadline it has to get the old key back. In between half of what is left,
 * so that there is time to say that it is silent. */
#define TELL_MAX_MS 5000
#define TELL_MIN_MS 1000

/* One command on one map. */
typedef struct Execution {
	Command *command;
	int64_t deadline_us;
	Map map; /* as it was read last */
} Execution;

static bool multipath_is_scsi_major(unsigned int major)
{
	return major == SCSI_DISK0_MAJOR || major == SCSI_CDROM_MAJOR ||
	       (major >= SCSI_DISK1_MAJOR && major <= SCSI_DISK7_MAJOR) ||
	       (major >= SCSI_DISK8_MAJOR && major <= SCSI_DISK15_MAJOR);
}

/* Device-mapper's major is given at run time, and what it is cannot be asked
 * without blocking. What turns out to be no map is refused by the thread. */
static bool multipath_claims(const struct statx *status,
			     uint64_t *ret_queue_key)
{
	if (!S_ISBLK(status->stx_mode) ||
	    multipath_is_scsi_major(status->stx_rdev_major))
		return false;
	*ret_queue_key = makedev(status->stx_rdev_major, status->stx_rdev_minor)
				 << 1 |
			 1;
	return true;
}

static int64_t multipath_left_ms(const Execution *e)
{
	return (e->deadline_us - g_get_monotonic_time()) / 1000;
}

static int multipath_call(const Execution *e, const PrivilegedRequest *request,
			  PrivilegedReply *ret_reply)
{
	int fd = -1;

	broker_call(request, e->command->fd, ret_reply, &fd);
	return fd;
}

static const Map *multipath_read_map(void *data)
{
	Execution *e = data;
	Map map;

	/* Warnings need its name also if it has gone. */
	if (!map_read("/sys", e->command->major, e->command->minor, &map))
		return NULL;
	e->map = map;
	return &e->map;
}

/* With the remedy, where there is one. */
static const char *multipath_error_text(int error)
{
	switch (error) {
	case EPIPE:
		return "the broker process for multipath maps has ended; "
		       "restart the helper";
	case EAGAIN:
		return "too many requests to the broker process are stuck; see "
		       "which maps hang";
	case ETIMEDOUT:
		return "no answer in time: its host is in error recovery, or "
		       "the broker process is stuck";
	case ENOENT:
		return "there is no such node; does the guest's private /dev "
		       "lack it?";
	case EPERM:
		return "not permitted; does the guest's device cgroup lack it?";
	default:
		return g_strerror(error);
	}
}

static int multipath_open(const Execution *e, const MapPath *path,
			  int64_t time_us, Command *attempt)
{
	PrivilegedRequest request = {
		.action = PRIVILEGED_OPEN_PATH,
		.timeout_ms = (uint32_t)(MAX(time_us, 0) / 1000),
		.major = path->major,
		.minor = path->minor,
	};
	PrivilegedReply reply;
	int fd = multipath_call(e, &request, &reply);

	if (fd < 0)
		command_refuse(attempt,
			       reply.error == EPIPE ? FAILURE_NO_RESOURCES
						    : FAILURE_NO_PATH,
			       "cannot open path %s: %s", path->name,
			       multipath_error_text(reply.error));
	return fd;
}

/* Which path it was is half of what the operator wants to know. */
static void multipath_name_path(Command *attempt, const MapPath *path)
{
	char reason[COMMAND_REASON_SIZE];

	if (!attempt->failure)
		return;
	g_strlcpy(reason, attempt->reason, sizeof(reason));
	g_snprintf(attempt->reason, sizeof(attempt->reason), "path %s: %s",
		   path->name, reason);
}

static void multipath_send(void *data, const MapPath *path, Send send,
			   Command *attempt)
{
	const Execution *e = data;
	int64_t now_us = g_get_monotonic_time();

	attempt->block = true;
	attempt->major = path->major;
	attempt->minor = path->minor;
	/* open() waits while the path's host is in error recovery. */
	attempt->fd = multipath_open(
		e, path, multipath_time_us(e->deadline_us - now_us, send),
		attempt);
	if (attempt->fd < 0)
		return;
	/* A path that does not answer leaves the others their share. */
	now_us = g_get_monotonic_time();
	sg_io_send(attempt,
		   now_us + multipath_time_us(e->deadline_us - now_us, send));
	fd_clear(&attempt->fd);
	multipath_name_path(attempt, path);
}

static void multipath_warn(void *data, const char *text)
{
	const Execution *e = data;
	const Peer *peer = &e->command->peer;
	unsigned int suppressed;

	if (!map_record_admit_warning(e->map.uuid, g_get_monotonic_time(),
				      &suppressed))
		return;
	if (suppressed)
		log_message(LOG_LEVEL_WARNING,
			    "multipath map %s (%s): %u %s suppressed",
			    e->map.alias, e->map.name, suppressed,
			    plural(suppressed, "warning", "warnings"));
	log_message(LOG_LEVEL_WARNING,
		    "multipath map %s (%s), for client pid %d: %s",
		    e->map.alias, e->map.name, peer->pid, text);
}

static MultipathdAnswer multipath_tell(void *data, MultipathdVerb verb,
				       uint64_t key, bool aptpl)
{
	Execution *e = data;
	PrivilegedRequest request = {
		.action = verb,
		.timeout_ms = (uint32_t)CLAMP(multipath_left_ms(e) / 2,
					      TELL_MIN_MS, TELL_MAX_MS),
		.key = key,
		.aptpl = aptpl,
	};
	PrivilegedReply reply;
	MultipathdAnswer answer;
	char text[COMMAND_REASON_SIZE];

	multipath_call(e, &request, &reply);
	answer = privileged_answer(&reply);
	if (answer.result == MULTIPATHD_UNASKED) {
		g_snprintf(text, sizeof(text), "cannot ask multipathd: %s",
			   multipath_error_text(reply.error));
		multipath_warn(e, text);
	}
	return answer;
}

static Hold multipath_hold_get(void *data)
{
	return map_record_hold(((Execution *)data)->map.uuid);
}

static void multipath_hold_set(void *data, Hold hold)
{
	map_record_set_hold(((Execution *)data)->map.uuid, hold);
}

static void multipath_execute_on(Command *command, int64_t deadline_us)
{
	Execution e = { .command = command, .deadline_us = deadline_us };
	MultipathWorld world = {
		.read_map = multipath_read_map,
		.send = multipath_send,
		.tell = multipath_tell,
		.hold_get = multipath_hold_get,
		.hold_set = multipath_hold_set,
		.warn = multipath_warn,
		.data = &e,
	};

	multipath_execute(command, &world);
}

static void multipath_serve(Command *command, int64_t deadline_us)
{
	DeviceKind kind = device_kind("/sys", command->block, command->major,
				      command->minor);

	if (kind != DEVICE_MULTIPATH)
		backend_refuse_kind(command, kind);
	else if (!broker_is_available())
		command_refuse(command, FAILURE_NOT_SUPPORTED, "%s",
			       broker_refusal());
	else
		multipath_execute_on(command, deadline_us);
}

const Backend backend_multipath = {
	.name = "multipath",
	.capabilities = UINT64_C(1) << CAP_SYS_RAWIO,
	/* The steps of two commands on one map must not mix. */
	.threads = 1,
	.claims = multipath_claims,
	.execute = multipath_serve,
};
