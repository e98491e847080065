/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything is read relative to open directories, and each piece may be gone
 * when its turn comes. The hard rule: what is not wholly a SCSI device is no
 * path, and what cannot be read whole is not guessed at.
 */
#include "multipath/host/map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* An attribute's text without its line end. False: there is none, or it is
 * longer than `size` - 1. */
static bool attribute_read(int directory, const char *name, char *ret_text,
			   size_t size)
{
	autofd fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, size);

	if (n <= 0)
		return false;
	if (ret_text[n - 1] == '\n')
		n--;
	if ((size_t)n == size)
		return false;
	ret_text[n] = '\0';
	return strlen(ret_text) == (size_t)n;
}

static bool number_read(int directory, MapPath *path)
{
	char text[32];
	int end = 0;

	return attribute_read(directory, "dev", text, sizeof(text)) &&
	       sscanf(text, "%u:%u%n", &path->major, &path->minor, &end) == 2 &&
	       text[end] == '\0';
}

/* The device's name in the SCSI layer begins with its host: "2:0:0:1". */
static bool host_read(int directory, MapPath *path)
{
	char target[512];
	ssize_t n = readlinkat(directory, "device", target, sizeof(target) - 1);
	const char *slash;
	unsigned int channel;

	target[MAX(n, 0)] = '\0';
	slash = strrchr(target, '/');
	return sscanf(slash ? slash + 1 : target, "%u:%u:", &path->host,
		      &channel) == 2;
}

static bool path_read(const char *root, int slaves, const char *name,
		      MapPath *ret_path)
{
	autofd directory =
		openat(slaves, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char state[32];

	if (directory < 0 || strlen(name) >= sizeof(ret_path->name) ||
	    !number_read(directory, ret_path) ||
	    !host_read(directory, ret_path) ||
	    device_kind(root, true, ret_path->major, ret_path->minor) !=
		    DEVICE_SCSI)
		return false;
	g_strlcpy(ret_path->name, name, sizeof(ret_path->name));
	ret_path->running = attribute_read(directory, "device/state", state,
					   sizeof(state)) &&
			    strcmp(state, "running") == 0;
	return true;
}

static bool is_before(const MapPath *a, const MapPath *b)
{
	return a->major < b->major ||
	       (a->major == b->major && a->minor < b->minor);
}

static void path_insert(Map *map, const MapPath *path)
{
	size_t i = map->n_paths++;

	for (; i > 0 && is_before(path, &map->paths[i - 1]); i--)
		map->paths[i] = map->paths[i - 1];
	map->paths[i] = *path;
}

static bool paths_read(const char *root, DIR *slaves, Map *map)
{
	const struct dirent *entry;
	MapPath path;

	while (map->n_paths < MAP_PATHS_MAX && (entry = readdir(slaves))) {
		errno = 0;
		if (entry->d_name[0] != '.' &&
		    path_read(root, dirfd(slaves), entry->d_name, &path))
			path_insert(map, &path);
		/* Then it may be a path all the same. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			return false;
	}
	return true;
}

static DIR *slaves_open(int directory)
{
	autofd fd =
		openat(directory, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *slaves = fd < 0 ? NULL : fdopendir(fd);

	if (slaves)
		(void)fd_steal(&fd);
	return slaves;
}

bool map_read(const char *root, unsigned int major, unsigned int minor,
	      Map *ret_map)
{
	g_autofree char *name =
		g_strdup_printf("%s/dev/block/%u:%u", root, major, minor);
	autofd directory = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool is_whole;
	DIR *slaves;

	*ret_map = (Map) { 0 };
	device_name(root, true, major, minor, ret_map->name);
	if (directory < 0 || !ret_map->name[0] ||
	    !attribute_read(directory, "dm/uuid", ret_map->uuid,
			    sizeof(ret_map->uuid)) ||
	    !g_str_has_prefix(ret_map->uuid, "mpath-") ||
	    !attribute_read(directory, "dm/name", ret_map->alias,
			    sizeof(ret_map->alias)))
		return false;
	slaves = slaves_open(directory);
	if (!slaves)
		return false;
	is_whole = paths_read(root, slaves, ret_map);
	closedir(slaves);
	return is_whole;
}

bool map_find(const Map *map, const MapPath *path, size_t *ret_i)
{
	for (size_t i = 0; i < map->n_paths; i++) {
		if (map->paths[i].major != path->major ||
		    map->paths[i].minor != path->minor)
			continue;
		*ret_i = i;
		return true;
	}
	return false;
}
