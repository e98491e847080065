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

/* As number_parse(), and as sg_persist takes a length: behind a decimal number
 * a multiplier (c, w, b, k, KiB: 1, 2, 512, 1024, 1024; kB: 1000), and behind a
 * number without one "x" or "+" and another length: "8k", "2x512", "3+1k". The
 * parts may not be larger than `max` either, which is at most UINT32_MAX. */
bool number_parse_size(const char *text, uint64_t max, uint64_t *ret_number);

/* Exactly 2 * size hexadecimal digits, nothing before or behind them. */
bool number_parse_bytes(const char *text, uint8_t *ret_bytes, size_t size);

/* The other direction: two digits for each byte, no space between them. */
void number_append_bytes(GString *text, const uint8_t *bytes, size_t size);

#endif
