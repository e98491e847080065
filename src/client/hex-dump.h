/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes, sixteen on a line, in the layout of the sg3_utils. Pure.
 */
#ifndef CLIENT_HEX_DUMP_H
#define CLIENT_HEX_DUMP_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* " 10     00 01 ..." */
void hex_dump_with_offsets(GString *text, const uint8_t *bytes, size_t size);

/* The same without offsets, each line behind `indent`. */
void hex_dump(GString *text, const char *indent, const uint8_t *bytes,
	      size_t size);

#endif
