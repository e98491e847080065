/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people type them. Strict: the whole text is the number, without
 * signs or blanks, and never more than it may be. Pure.
 */
#ifndef CLIENT_NUMBER_H
#define CLIENT_NUMBER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hexadecimal, "0x" before it or not: keys, as sg_persist takes them. */
bool number_parse_hex(const char *text, uint64_t max, uint64_t *ret_number);

/* Decimal, or hexadecimal with "0x" before or "h" behind it. */
bool number_parse(const char *text, uint64_t max, uint64_t *ret_number);

/* Exactly 2 * size hexadecimal digits, nothing before or behind them. */
bool number_parse_bytes(const char *text, uint8_t *ret_bytes, size_t size);

/* The other direction: two digits for each byte, no space between them. */
void number_append_bytes(GString *text, const uint8_t *bytes, size_t size);

#endif
