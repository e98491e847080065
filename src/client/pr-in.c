/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding the answers. Every function compares with what is there before it
 * reads.
 */
#include "pr-in.h"

#include "base/bytes.h"
#include "scsi/scsi.h"

#define KEY_SIZE         8
#define RESERVATION_SIZE 16
/* What is read of it; the rest is obsolete. */
#define RESERVATION_USED 14
/* Without its TransportID. */
#define DESCRIPTOR_SIZE 24

bool pr_in_list_get(const PrInAnswer *answer, PrInList *ret_list)
{
	if (answer->size < PR_IN_HEADER_SIZE)
		return false;
	*ret_list = (PrInList) {
		.generation = be32_get(answer->payload),
		.announced = be32_get(answer->payload + 4),
		.bytes = answer->payload + PR_IN_HEADER_SIZE,
	};
	ret_list->size =
		MIN(answer->size - PR_IN_HEADER_SIZE, ret_list->announced);
	return true;
}

size_t pr_in_keys_count(const PrInList *list)
{
	return list->size / KEY_SIZE;
}

uint64_t pr_in_key(const PrInList *list, size_t index)
{
	return be64_get(list->bytes + index * KEY_SIZE);
}

bool pr_in_reservation_get(const PrInList *list,
			   PrInReservation *ret_reservation)
{
	if (list->size < RESERVATION_USED)
		return false;
	*ret_reservation = (PrInReservation) {
		.key = be64_get(list->bytes),
		.scope = list->bytes[13] >> 4,
		.type = list->bytes[13] & 0x0f,
	};
	return true;
}

bool pr_in_capabilities_get(const PrInAnswer *answer,
			    PrInCapabilities *ret_capabilities)
{
	const uint8_t *bytes = answer->payload;

	if (answer->size < 8 || be16_get(bytes) != 8)
		return false;
	*ret_capabilities = (PrInCapabilities) {
		.rlr_c = bytes[2] & 0x80,
		.crh = bytes[2] & 0x10,
		.sip_c = bytes[2] & 0x08,
		.atp_c = bytes[2] & 0x04,
		.ptpl_c = bytes[2] & 0x01,
		.tmv = bytes[3] & 0x80,
		.allow_commands = bytes[3] >> 4 & 0x7,
		.ptpl_a = bytes[3] & 0x01,
		.type_mask = be16_get(bytes + 4),
	};
	return true;
}

const PrInMaskBit pr_in_mask_bits[PR_IN_MASK_BITS] = {
	{ 0x8000, SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS },
	{ 0x4000, SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS_ONLY },
	{ 0x2000, SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS_ONLY },
	{ 0x0800, SCSI_PR_EXCLUSIVE_ACCESS },
	{ 0x0200, SCSI_PR_WRITE_EXCLUSIVE },
	{ 0x0001, SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS },
};

bool pr_in_descriptor_next(const PrInList *list, size_t *offset,
			   PrInDescriptor *ret_descriptor)
{
	const uint8_t *bytes = list->bytes + *offset;
	size_t left = list->size - *offset;

	if (left < DESCRIPTOR_SIZE)
		return false;
	left -= DESCRIPTOR_SIZE;
	*ret_descriptor = (PrInDescriptor) {
		.key = be64_get(bytes),
		.all_tg_pt = bytes[12] & 0x02,
		.r_holder = bytes[12] & 0x01,
		.scope = bytes[13] >> 4,
		.type = bytes[13] & 0x0f,
		.relative_target_port = be16_get(bytes + 18),
		.transport_id = bytes + DESCRIPTOR_SIZE,
		.transport_id_announced = be32_get(bytes + 20),
	};
	ret_descriptor->transport_id_size =
		MIN(left, ret_descriptor->transport_id_announced);
	*offset += DESCRIPTOR_SIZE + ret_descriptor->transport_id_size;
	return true;
}

bool pr_in_continues(const PrInAnswer *answer, uint64_t *ret_total)
{
	PrInList list;
	uint64_t total = PR_IN_HEADER_SIZE;

	if (answer->service_action != SCSI_PR_IN_REPORT_CAPABILITIES &&
	    pr_in_list_get(answer, &list))
		total += list.announced;
	if (answer->size < answer->allocation_length ||
	    answer->allocation_length >= total)
		return false;
	*ret_total = total;
	return true;
}

static char *keys_problem(const PrInList *list)
{
	if (list->announced % KEY_SIZE == 0)
		return NULL;
	return g_strdup_printf("the length of the list of keys is %u, which is "
			       "not a multiple of 8",
			       list->announced);
}

static char *reservation_problem(const PrInList *list)
{
	if (list->announced == 0 || list->announced == RESERVATION_SIZE)
		return NULL;
	return g_strdup_printf("the length of the reservation is %u, not 16",
			       list->announced);
}

static char *full_status_problem(const PrInList *list)
{
	PrInDescriptor descriptor;
	size_t offset = 0, count = 0;
	uint64_t end = 0;

	while (pr_in_descriptor_next(list, &offset, &descriptor)) {
		count++;
		end += DESCRIPTOR_SIZE +
		       (uint64_t)descriptor.transport_id_announced;
		if (end > list->announced)
			return g_strdup_printf(
				"the TransportID of registration %zu extends "
				"beyond the end of the list: its length is %u",
				count, descriptor.transport_id_announced);
	}
	/* Where the last one was cut off, `end` is beyond the bytes. */
	if (offset < list->size && list->size == list->announced)
		return g_strdup_printf("the end of the list is too short for a "
				       "registration: %zu of %d bytes",
				       list->size - offset, DESCRIPTOR_SIZE);
	return NULL;
}

static char *capabilities_problem(const PrInAnswer *answer)
{
	if (answer->size < 2 || be16_get(answer->payload) == 8)
		return NULL;
	return g_strdup_printf("the length of the capabilities is %u, not 8",
			       be16_get(answer->payload));
}

static char *list_problem(uint8_t service_action, const PrInList *list)
{
	switch (service_action) {
	case SCSI_PR_IN_READ_KEYS:
		return keys_problem(list);
	case SCSI_PR_IN_READ_RESERVATION:
		return reservation_problem(list);
	default:
		return full_status_problem(list);
	}
}

/* Fewer bytes than both the device's own word and the allocation length. */
static char *missing_problem(const PrInAnswer *answer, uint64_t total)
{
	if (answer->size >= MIN(answer->allocation_length, total))
		return NULL;
	return g_strdup_printf("the answer should have %" G_GUINT64_FORMAT
			       " bytes, but %zu arrived",
			       total, answer->size);
}

char *pr_in_problem(const PrInAnswer *answer)
{
	PrInList list;
	char *problem;

	if (answer->service_action == SCSI_PR_IN_REPORT_CAPABILITIES) {
		problem = capabilities_problem(answer);
		return problem ? problem : missing_problem(answer, 8);
	}
	if (!pr_in_list_get(answer, &list))
		return missing_problem(answer, PR_IN_HEADER_SIZE);
	problem = list_problem(answer->service_action, &list);
	if (problem)
		return problem;
	return missing_problem(answer,
			       (uint64_t)PR_IN_HEADER_SIZE + list.announced);
}
