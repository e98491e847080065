/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers to PERSISTENT RESERVE IN as text. The words and the indentation are
 * sg_persist's: other people's scripts look for them.
 */
#include "print.h"

#include "hex-dump.h"
#include "print-transport.h"
#include "scsi/scsi.h"
#include "scsi/wire.h"

static void print_list_header(GString *text, const PrInList *list)
{
	g_string_append_printf(text, "  PR generation=0x%x", list->generation);
}

static void print_keys(GString *text, const PrInList *list)
{
	/* The device's number, also where not all of them are there. */
	uint32_t count = list->announced / 8;

	print_list_header(text, list);
	if (count == 0)
		g_string_append(text, ", there are NO registered reservation "
				      "keys\n");
	else if (count == 1)
		g_string_append(text, ", 1 registered reservation key "
				      "follows:\n");
	else
		g_string_append_printf(text,
				       ", %u registered reservation keys "
				       "follow:\n",
				       count);
	for (size_t i = 0; i < pr_in_keys_count(list); i++)
		g_string_append_printf(text, "    0x%" G_GINT64_MODIFIER "x\n",
				       pr_in_key(list, i));
}

static void print_scope_and_type(GString *text, uint8_t scope, uint8_t type)
{
	if (scope == 0)
		g_string_append(text, "scope: LU_SCOPE,  ");
	else
		g_string_append_printf(text, "scope: %u  ", scope);
	g_string_append_printf(text, "type: %s\n", print_type_name(type));
}

static void print_reservation(GString *text, const PrInList *list)
{
	PrInReservation reservation;

	print_list_header(text, list);
	if (list->announced == 0)
		g_string_append(text, ", there is NO reservation held\n");
	else
		g_string_append(text, ", Reservation follows:\n");
	if (!pr_in_reservation_get(list, &reservation))
		return;
	g_string_append_printf(text, "    Key=0x%" G_GINT64_MODIFIER "x\n    ",
			       reservation.key);
	print_scope_and_type(text, reservation.scope, reservation.type);
}

static void print_descriptor(GString *text, const PrInDescriptor *descriptor)
{
	g_string_append_printf(text, "    Key=0x%" G_GINT64_MODIFIER "x\n",
			       descriptor->key);
	if (descriptor->all_tg_pt)
		g_string_append(text, "      All target ports bit set\n");
	else
		g_string_append_printf(text,
				       "      All target ports bit clear\n"
				       "      Relative port address: 0x%x\n",
				       descriptor->relative_target_port);
	if (descriptor->r_holder) {
		g_string_append(text, "      << Reservation holder >>\n"
				      "      ");
		print_scope_and_type(text, descriptor->scope, descriptor->type);
	} else {
		g_string_append(text, "      not reservation holder\n");
	}
	if (descriptor->transport_id_size > 0)
		print_transport_id(text, descriptor->transport_id,
				   descriptor->transport_id_size);
}

static void print_full_status(GString *text, const PrInList *list)
{
	PrInDescriptor descriptor;
	size_t offset = 0;

	print_list_header(text, list);
	g_string_append_c(text, '\n');
	if (list->announced == 0)
		g_string_append(text, "  No full status descriptors\n");
	while (pr_in_descriptor_next(list, &offset, &descriptor))
		print_descriptor(text, &descriptor);
}

static void print_bit(GString *text, const char *name, unsigned int value)
{
	g_string_append_printf(text, "  %s: %u\n", name, value);
}

static void print_type_mask(GString *text, uint16_t mask)
{
	g_string_append(text, "    Support indicated in Type mask:\n");
	for (size_t i = 0; i < PR_IN_MASK_BITS; i++)
		g_string_append_printf(text, "      %s: %d\n",
				       print_type_name(pr_in_mask_bits[i].type),
				       (mask & pr_in_mask_bits[i].bit) != 0);
}

static void print_capabilities(GString *text, const PrInAnswer *answer)
{
	PrInCapabilities caps;

	if (!pr_in_capabilities_get(answer, &caps))
		return;
	g_string_append(text, "Report capabilities response:\n");
	print_bit(text, "Replace Lost Reservation Capable(RLR_C)", caps.rlr_c);
	print_bit(text, "Compatible Reservation Handling(CRH)", caps.crh);
	print_bit(text, "Specify Initiator Ports Capable(SIP_C)", caps.sip_c);
	print_bit(text, "All Target Ports Capable(ATP_C)", caps.atp_c);
	print_bit(text, "Persist Through Power Loss Capable(PTPL_C)",
		  caps.ptpl_c);
	print_bit(text, "Type Mask Valid(TMV)", caps.tmv);
	print_bit(text, "Allow Commands", caps.allow_commands);
	print_bit(text, "Persist Through Power Loss Active(PTPL_A)",
		  caps.ptpl_a);
	if (caps.tmv)
		print_type_mask(text, caps.type_mask);
}

static void print_continues(GString *text, const PrInAnswer *answer)
{
	uint64_t total;

	if (!pr_in_continues(answer, &total))
		return;
	g_string_append_printf(text,
			       "    list continues: %zu of %" G_GUINT64_FORMAT
			       " bytes shown; ",
			       answer->size, total);
	if (total <= WIRE_DATA_MAX)
		g_string_append_printf(text, "use --alloc-length=%x\n",
				       (unsigned int)total);
	else
		g_string_append_printf(text,
				       "the limit of --alloc-length is 2000 "
				       "(%d)\n",
				       WIRE_DATA_MAX);
}

static void print_list(GString *text, uint8_t service_action,
		       const PrInList *list)
{
	switch (service_action) {
	case SCSI_PR_IN_READ_KEYS:
		print_keys(text, list);
		break;
	case SCSI_PR_IN_READ_RESERVATION:
		print_reservation(text, list);
		break;
	default:
		print_full_status(text, list);
		break;
	}
}

void print_answer(GString *text, const PrInAnswer *answer)
{
	PrInList list;

	if (answer->service_action == SCSI_PR_IN_REPORT_CAPABILITIES)
		print_capabilities(text, answer);
	else if (pr_in_list_get(answer, &list))
		print_list(text, answer->service_action, &list);
	print_continues(text, answer);
}

void print_answer_hex(GString *text, const PrInAnswer *answer, guint level)
{
	const uint8_t *bytes = answer->payload;
	size_t size = answer->size;
	PrInList list;

	if (answer->service_action != SCSI_PR_IN_REPORT_CAPABILITIES &&
	    pr_in_list_get(answer, &list)) {
		size = PR_IN_HEADER_SIZE + list.size;
		if (level == 1) {
			print_list_header(text, &list);
			g_string_append_printf(text, ", Additional length=%u\n",
					       list.announced);
			bytes = list.bytes;
			size = list.size;
		}
	} else {
		size = MIN(size, 8);
	}
	if (level < 3)
		hex_dump_with_offsets(text, bytes, size);
	else
		hex_dump(text, "", bytes, size);
	print_continues(text, answer);
}
