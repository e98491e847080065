/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entry point of every fuzz target, as libFuzzer (or replay.c) calls it,
 * and an input that is used up piece by piece: where it ends, zeroes follow.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input {
	const uint8_t *data;
	size_t size;
} Input;

static inline size_t input_bytes(Input *input, void *ret_bytes, size_t size)
{
	size_t n = MIN(size, input->size);

	memset(ret_bytes, 0, size);
	if (n > 0)
		memcpy(ret_bytes, input->data, n);
	input->data += n;
	input->size -= n;
	return n;
}

static inline uint8_t input_byte(Input *input)
{
	uint8_t byte;

	input_bytes(input, &byte, 1);
	return byte;
}

static inline uint16_t input_word(Input *input)
{
	uint8_t bytes[2];

	input_bytes(input, bytes, 2);
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t input_long(Input *input)
{
	uint32_t high = input_word(input);

	return high << 16 | input_word(input);
}

/* A copy of exactly this size, so that a sanitizer sees a byte beyond; NULL
 * where there is none. */
static inline uint8_t *exact_copy(const uint8_t *bytes, size_t size)
{
	return g_memdup(bytes, size);
}

#endif
