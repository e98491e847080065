/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection per request, because a late answer must never be taken for
 * the next one's. The hard rules: the whole exchange has one deadline, and
 * nothing but a known word is a yes.
 */
#include "multipath/host/multipathd.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/unix-socket.h"

/* A leading '@' stands for the NUL of the abstract namespace. multipathd 0.9
 * listens to the second only; later ones to both. */
static const char *const default_sockets[] = {
	"/run/multipathd.socket",
	"@/org/kernel/linux/storage/multipathd",
};

/* What it says when it cannot is longer at times; then it is not read. */
#define REPLY_MAX 256

/* Its configuration has a section for each map and each kind of device. */
#define CONFIGURATION_MAX (4 << 20)

/* In front of each message: its length, with the NUL of the text. The type is
 * the protocol's. */
typedef size_t Length;

static int milliseconds_left(int64_t deadline_us)
{
	int64_t left = (deadline_us - g_get_monotonic_time() + 999) / 1000;

	return (int)CLAMP(left, 0, G_MAXINT);
}

static MultipathdResult connect_result(void)
{
	switch (errno) {
	case EAGAIN:
		return MULTIPATHD_SILENT;
	case EACCES:
	case EPERM:
		return MULTIPATHD_DENIED;
	default:
		return MULTIPATHD_ABSENT;
	}
}

/* Anybody may listen to an abstract name while multipathd does not. */
static bool is_trusted(int socket)
{
	struct ucred peer;

	return unix_socket_peer(socket, &peer) &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static MultipathdResult multipathd_connect_to(const char *name,
					      int64_t deadline_us,
					      int *ret_socket)
{
	UnixAddress address;
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !unix_address_of_name(name, &address))
		return MULTIPATHD_ABSENT;
	if (!unix_socket_connect(fd, &address, deadline_us))
		return connect_result();
	if (!is_trusted(fd))
		return MULTIPATHD_ABSENT;
	*ret_socket = fd_steal(&fd);
	return MULTIPATHD_OK;
}

static MultipathdResult connect_any(int64_t deadline_us, int *ret_socket)
{
	const char *name = getenv("MULTIPATH_SOCKET_NAME");
	MultipathdResult result = MULTIPATHD_ABSENT;

	if (name)
		return multipathd_connect_to(name, deadline_us, ret_socket);
	for (size_t i = 0;
	     i < G_N_ELEMENTS(default_sockets) && result == MULTIPATHD_ABSENT;
	     i++)
		result = multipathd_connect_to(default_sockets[i], deadline_us,
					       ret_socket);
	return result;
}

static bool wait_for(int socket, short event, int64_t deadline_us)
{
	struct pollfd waiting = { .fd = socket, .events = event };
	int left = milliseconds_left(deadline_us);

	return left > 0 && (poll(&waiting, 1, left) >= 0 || errno == EINTR);
}

/* `event` tells the direction. False: not whole by the deadline, or the other
 * side has gone. */
static bool transfer(int socket, void *bytes, size_t size, short event,
		     int64_t deadline_us)
{
	char *next = bytes;
	ssize_t n;

	while (size > 0) {
		n = event == POLLOUT ? send(socket, next, size,
					    MSG_DONTWAIT | MSG_NOSIGNAL)
				     : recv(socket, next, size, MSG_DONTWAIT);
		if (n > 0) {
			next += n;
			size -= (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
			   !wait_for(socket, event, deadline_us)) {
			return false;
		}
	}
	return true;
}

static const char *const verb_names[MULTIPATHD_VERB_COUNT] = {
	[MULTIPATHD_GET_KEY] = "getprkey",
	[MULTIPATHD_SET_KEY] = "setprkey",
	[MULTIPATHD_UNSET_KEY] = "unsetprkey",
	[MULTIPATHD_SET_STATUS] = "setprstatus",
	[MULTIPATHD_UNSET_STATUS] = "unsetprstatus",
	[MULTIPATHD_GET_HOLD] = "getprhold",
	[MULTIPATHD_SET_HOLD] = "setprhold",
	[MULTIPATHD_UNSET_HOLD] = "unsetprhold",
};

static char *request_text(MultipathdVerb verb, const char *map, uint64_t key,
			  bool aptpl)
{
	if (verb != MULTIPATHD_SET_KEY)
		return g_strdup_printf("%s map %s", verb_names[verb], map);
	return g_strdup_printf("%s map %s key 0x%" PRIx64 "%s",
			       verb_names[verb], map, key,
			       aptpl ? ":aptpl" : "");
}

/* A word, or a word and a line end. */
static bool is_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	return strncmp(text, word, length) == 0 &&
	       (!text[length] || strcmp(text + length, "\n") == 0);
}

/* "0x" and hexadecimal digits, then perhaps ":aptpl". */
static bool parse_key(const char *text, MultipathdAnswer *answer)
{
	const char *digits = text + 2;
	size_t count;

	if (is_word(text, "none"))
		return true;
	if (!g_str_has_prefix(text, "0x"))
		return false;
	count = strspn(digits, "0123456789abcdefABCDEF");
	answer->aptpl = is_word(digits + count, ":aptpl");
	if (count == 0 || count > 16 ||
	    (!answer->aptpl && !is_word(digits + count, "")))
		return false;
	answer->key = strtoull(digits, NULL, 16);
	return true;
}

static bool parse_hold(const char *text, MultipathdAnswer *answer)
{
	answer->hold = is_word(text, "set");
	return answer->hold || is_word(text, "unset") ||
	       is_word(text, "unknown");
}

static bool parse_yes(MultipathdVerb verb, const char *text,
		      MultipathdAnswer *answer)
{
	switch (verb) {
	case MULTIPATHD_GET_KEY:
		return parse_key(text, answer);
	case MULTIPATHD_GET_HOLD:
		return parse_hold(text, answer);
	default:
		return is_word(text, "ok");
	}
}

MultipathdAnswer multipathd_parse(MultipathdVerb verb, const char *text,
				  size_t size)
{
	MultipathdAnswer answer = { .result = MULTIPATHD_OK };

	if (size == 0 || memchr(text, '\0', size) != text + size - 1)
		return (MultipathdAnswer) { MULTIPATHD_FAILED };
	/* Newer ones have a line "fail" before it. */
	if (g_str_has_prefix(text, "permission deny") ||
	    g_str_has_prefix(text, "fail\npermission deny"))
		return (MultipathdAnswer) { MULTIPATHD_DENIED };
	if (!parse_yes(verb, text, &answer))
		return (MultipathdAnswer) { MULTIPATHD_FAILED };
	return answer;
}

static MultipathdResult send_text(int socket, const char *text,
				  int64_t deadline_us)
{
	g_autoptr(GByteArray) message = g_byte_array_new();
	Length length = strlen(text) + 1;

	g_byte_array_append(message, (const uint8_t *)&length, sizeof(length));
	g_byte_array_append(message, (const uint8_t *)text, (guint)length);
	return transfer(socket, message->data, message->len, POLLOUT,
			deadline_us)
		       ? MULTIPATHD_OK
		       : MULTIPATHD_SILENT;
}

static MultipathdResult receive_text(int socket, size_t max, GByteArray *reply,
				     int64_t deadline_us)
{
	Length length;

	if (!transfer(socket, &length, sizeof(length), POLLIN, deadline_us))
		return MULTIPATHD_SILENT;
	if (length > max)
		return MULTIPATHD_FAILED;
	g_byte_array_set_size(reply, (guint)length);
	return transfer(socket, reply->data, length, POLLIN, deadline_us)
		       ? MULTIPATHD_OK
		       : MULTIPATHD_SILENT;
}

/* OK: `reply` is what it said, of at most `max` bytes. */
static MultipathdResult converse(const char *text, int timeout_ms, size_t max,
				 GByteArray *reply)
{
	int64_t deadline_us =
		g_get_monotonic_time() + (int64_t)timeout_ms * 1000;
	autofd socket = -1;
	MultipathdResult result = connect_any(deadline_us, &socket);

	if (result == MULTIPATHD_OK)
		result = send_text(socket, text, deadline_us);
	return result == MULTIPATHD_OK
		       ? receive_text(socket, max, reply, deadline_us)
		       : result;
}

MultipathdAnswer multipathd_ask(MultipathdVerb verb, const char *map,
				uint64_t key, bool aptpl, int timeout_ms)
{
	g_autofree char *text = request_text(verb, map, key, aptpl);
	g_autoptr(GByteArray) reply = g_byte_array_new();
	MultipathdResult result = converse(text, timeout_ms, REPLY_MAX, reply);

	if (result != MULTIPATHD_OK)
		return (MultipathdAnswer) { result };
	return multipathd_parse(verb, (const char *)reply->data, reply->len);
}

MultipathdResult multipathd_configuration(int timeout_ms, char **ret_text)
{
	g_autoptr(GByteArray) reply = g_byte_array_new();
	MultipathdResult result = converse("show config local", timeout_ms,
					   CONFIGURATION_MAX, reply);

	if (result != MULTIPATHD_OK)
		return result;
	if (reply->len == 0 || reply->data[reply->len - 1] != '\0' ||
	    !strstr((const char *)reply->data, "defaults {"))
		return MULTIPATHD_FAILED;
	*ret_text = g_strdup((const char *)reply->data);
	return MULTIPATHD_OK;
}
