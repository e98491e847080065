/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A writer of JSON (RFC 8259): enough for reports, always well-formed and
 * always UTF-8, whatever the strings hold. Pure: appends to a string.
 *
 *	JsonWriter json;
 *
 *	json_init(&json, text);
 *	json_begin_object(&json, NULL);
 *	json_add_string(&json, "device", "/dev/sdb");
 *	json_begin_array(&json, "keys");
 *	json_add_string(&json, NULL, "0x1");
 *	json_end_array(&json);
 *	json_end_object(&json);
 *
 * `name` is NULL in arrays and at the top, and a plain identifier in objects.
 */
#ifndef CLIENT_JSON_H
#define CLIENT_JSON_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonWriter {
	GString *text; /* borrowed */
	guint depth;
	bool has_members; /* the innermost object or array has some */
} JsonWriter;

void json_init(JsonWriter *json, GString *text);

void json_begin_object(JsonWriter *json, const char *name);
void json_end_object(JsonWriter *json);
void json_begin_array(JsonWriter *json, const char *name);
void json_end_array(JsonWriter *json);

void json_add_string(JsonWriter *json, const char *name, const char *value);
/* Of `size` bytes that may be anything; what is no UTF-8 becomes U+FFFD. */
void json_add_text(JsonWriter *json, const char *name, const void *value,
		   size_t size);
void json_add_null(JsonWriter *json, const char *name);
void json_add_bool(JsonWriter *json, const char *name, bool value);
/* At most 32 bits: readers keep numbers in a double. */
void json_add_number(JsonWriter *json, const char *name, uint32_t value);
/* 64 bits, as a string: "0x123abc". */
void json_add_key(JsonWriter *json, const char *name, uint64_t value);
/* As a string of hexadecimal digits. */
void json_add_bytes(JsonWriter *json, const char *name, const uint8_t *bytes,
		    size_t size);

#endif
