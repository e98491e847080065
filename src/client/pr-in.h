/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device answers to PERSISTENT RESERVE IN, SPC-4 6.15. The lengths in
 * an answer are the device's word and may be a lie; how many bytes arrived is
 * the truth, and nothing here looks further. Pure; all pointers are borrowed
 * from the payload.
 */
#ifndef CLIENT_PR_IN_H
#define CLIENT_PR_IN_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PRGENERATION and ADDITIONAL LENGTH, before every list. */
#define PR_IN_HEADER_SIZE 8

typedef struct PrInAnswer {
	uint8_t service_action;
	const uint8_t *payload;
	size_t size;              /* bytes that arrived */
	size_t allocation_length; /* bytes that were asked for */
} PrInAnswer;

/* READ KEYS, READ RESERVATION and READ FULL STATUS. */
typedef struct PrInList {
	uint32_t generation;
	uint32_t announced; /* ADDITIONAL LENGTH: bytes behind the header */
	const uint8_t *bytes;
	size_t size; /* of these, what is both announced and there */
} PrInList;

/* False where the header is not there. */
bool pr_in_list_get(const PrInAnswer *answer, PrInList *ret_list);

/* READ KEYS: how many whole keys are there, and each of them. */
size_t pr_in_keys_count(const PrInList *list);
uint64_t pr_in_key(const PrInList *list, size_t index);

typedef struct PrInReservation {
	uint64_t key;
	uint8_t scope, type;
} PrInReservation;

/* READ RESERVATION. False where no reservation is held, or too little of the
 * description is there: list->announced tells which. */
bool pr_in_reservation_get(const PrInList *list,
			   PrInReservation *ret_reservation);

/* REPORT CAPABILITIES, SPC-4 6.15.4. */
typedef struct PrInCapabilities {
	bool rlr_c, crh, sip_c, atp_c, ptpl_c, tmv, ptpl_a;
	uint8_t allow_commands;
	uint16_t type_mask; /* PERSISTENT RESERVATION TYPE MASK, bytes 4-5 */
} PrInCapabilities;

/* False where fewer than its 8 bytes are there, or it says that it has not
 * 8 bytes. */
bool pr_in_capabilities_get(const PrInAnswer *answer,
			    PrInCapabilities *ret_capabilities);

/* The types in the mask, in the order of sg_persist's output. */
typedef struct PrInMaskBit {
	uint16_t bit;
	uint8_t type; /* SCSI_PR_* */
} PrInMaskBit;

#define PR_IN_MASK_BITS 6
extern const PrInMaskBit pr_in_mask_bits[PR_IN_MASK_BITS];

/* READ FULL STATUS, one descriptor, SPC-4 6.15.5. */
typedef struct PrInDescriptor {
	uint64_t key;
	bool all_tg_pt, r_holder;
	uint8_t scope, type;
	uint16_t relative_target_port;
	const uint8_t *transport_id;
	size_t transport_id_size;        /* what is there */
	uint32_t transport_id_announced; /* what the descriptor says */
} PrInDescriptor;

/* Walks the list: start with *offset 0; false at the end, or where the next
 * descriptor's fixed part is not all there. */
bool pr_in_descriptor_next(const PrInList *list, size_t *offset,
			   PrInDescriptor *ret_descriptor);

/* True where the allocation length was too small for what the device has.
 * *ret_total is the size in bytes that would do; it may be beyond
 * WIRE_DATA_MAX. */
bool pr_in_continues(const PrInAnswer *answer, uint64_t *ret_total);

/* What is wrong with the answer, for people, or NULL. A list that the
 * allocation length cut off is not wrong. */
char *pr_in_problem(const PrInAnswer *answer);

#endif
