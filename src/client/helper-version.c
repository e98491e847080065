/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The version of a helper, from the bytes of its program. These may be
 * anything.
 */
#include <string.h>
#include <unistd.h>

#include "base/version-mark.h"
#include "helper.h"

#define PREFIX_SIZE (sizeof(VERSION_MARK_PREFIX) - 1)
/* Longer ones are none. */
#define VERSION_SIZE_MAX 64
#define CHUNK            65536
#define FILE_MAX         ((size_t)64 << 20)
/* A mark may lie across the end of a chunk. */
#define OVERLAP (PREFIX_SIZE + VERSION_SIZE_MAX + 1)

/* How many bytes in front of a NUL are a version, or 0. */
static size_t version_length(const uint8_t *bytes, size_t size)
{
	size_t length = 0;

	while (length < size && g_ascii_isgraph((char)bytes[length]))
		length++;
	if (length == size || bytes[length] != '\0')
		return 0;
	return length <= VERSION_SIZE_MAX ? length : 0;
}

char *helper_version_find(const uint8_t *bytes, size_t size)
{
	const uint8_t *end = bytes + size, *found;

	while ((found = memmem(bytes, (size_t)(end - bytes),
			       VERSION_MARK_PREFIX, PREFIX_SIZE))) {
		size_t length;

		bytes = found + PREFIX_SIZE;
		length = version_length(bytes, (size_t)(end - bytes));
		if (length > 0)
			return g_strndup((const char *)bytes, length);
	}
	return NULL;
}

bool helper_version_read(int fd, char **ret_version)
{
	g_autofree uint8_t *buffer = g_malloc(OVERLAP + CHUNK);
	size_t kept = 0, total = 0;
	char *version = NULL;
	ssize_t count = 1;

	while (!version && count > 0 && total < FILE_MAX) {
		count = read(fd, buffer + kept, CHUNK);
		if (count < 0)
			return false;
		kept += (size_t)count;
		total += (size_t)count;
		version = helper_version_find(buffer, kept);
		if (kept > OVERLAP) {
			memmove(buffer, buffer + kept - OVERLAP, OVERLAP);
			kept = OVERLAP;
		}
	}
	*ret_version = version;
	return true;
}
