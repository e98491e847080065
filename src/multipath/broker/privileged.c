/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who asks has proven no more than that it holds a descriptor of a map. The
 * hard rule: nothing is opened, and nothing is said to multipathd, that does
 * not belong to this very map, and the request is believed in nothing else.
 */
#include "multipath/broker/privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "multipath/host/map.h"
#include "multipath/host/multipathd.h"

static bool privileged_is_sound(const PrivilegedRequest *request)
{
	return (request->action < MULTIPATHD_VERB_COUNT ||
		request->action == PRIVILEGED_OPEN_PATH) &&
	       request->timeout_ms <= PRIVILEGED_TIMEOUT_MAX_MS &&
	       request->aptpl <= 1 && request->zero == 0 &&
	       (request->action != MULTIPATHD_SET_KEY || request->key != 0);
}

static bool changes_something(uint32_t action)
{
	return action != PRIVILEGED_OPEN_PATH && action != MULTIPATHD_GET_KEY &&
	       action != MULTIPATHD_GET_HOLD;
}

/* O_PATH: anybody who sees a node has such a descriptor of it, so that one
 * proves nothing. */
static int map_check(int fd, uint32_t action, const char *sysfs, Map *ret_map)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat status;

	if (flags < 0 || (flags & O_PATH) || fstat(fd, &status) < 0 ||
	    !S_ISBLK(status.st_mode) ||
	    !map_read(sysfs, major(status.st_rdev), minor(status.st_rdev),
		      ret_map))
		return EINVAL;
	if (changes_something(action) && (flags & O_ACCMODE) == O_RDONLY)
		return EACCES;
	return 0;
}

static const MapPath *path_find(const Map *map, unsigned int major,
				unsigned int minor)
{
	for (size_t i = 0; i < map->n_paths; i++)
		if (map->paths[i].major == major &&
		    map->paths[i].minor == minor)
			return &map->paths[i];
	return NULL;
}

/* The kernel writes '!' for the '/' of a node in a subdirectory. */
static int node_open(const char *dev, const char *name)
{
	g_autofree char *node = g_strdelimit(g_strdup(name), "!", '/');
	g_autofree char *path = g_build_filename(dev, node, NULL);

	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The node's name is only where to look; its number is what counts. */
static int path_open(const char *dev, const MapPath *path, int *ret_fd)
{
	autofd fd = node_open(dev, path->name);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return errno;
	if (!S_ISBLK(status.st_mode) ||
	    status.st_rdev != makedev(path->major, path->minor))
		return ENODEV;
	*ret_fd = fd_steal(&fd);
	return 0;
}

static void ask(const PrivilegedRequest *request, const Map *map,
		PrivilegedReply *reply)
{
	MultipathdAnswer answer = multipathd_ask(
		(MultipathdVerb)request->action, map->name, request->key,
		request->aptpl, (int)request->timeout_ms);

	reply->result = answer.result;
	reply->key = answer.key;
	reply->aptpl = answer.aptpl;
	reply->hold = answer.hold;
}

void privileged_execute_in(const char *sysfs, const char *dev,
			   const PrivilegedRequest *request, int map,
			   PrivilegedReply *ret_reply, int *ret_fd)
{
	const MapPath *path;
	Map found;

	*ret_fd = -1;
	*ret_reply = (PrivilegedReply) { .error = EINVAL };
	if (!privileged_is_sound(request))
		return;
	ret_reply->error = map_check(map, request->action, sysfs, &found);
	if (ret_reply->error)
		return;
	if (request->action != PRIVILEGED_OPEN_PATH) {
		ask(request, &found, ret_reply);
		return;
	}
	path = path_find(&found, request->major, request->minor);
	ret_reply->error = path ? path_open(dev, path, ret_fd) : EINVAL;
}

MultipathdAnswer privileged_answer(const PrivilegedReply *reply)
{
	MultipathdResult result = reply->result;

	if (reply->error == EOPNOTSUPP)
		result = MULTIPATHD_DENIED;
	else if (reply->error)
		result = MULTIPATHD_UNASKED;
	return (MultipathdAnswer) {
		.result = result,
		.key = reply->key,
		.aptpl = reply->aptpl,
		.hold = reply->hold,
	};
}

void privileged_execute(const PrivilegedRequest *request, int map,
			PrivilegedReply *ret_reply, int *ret_fd)
{
	privileged_execute_in("/sys", "/dev", request, map, ret_reply, ret_fd);
}
