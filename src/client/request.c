/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options to bytes. What the standard calls reserved stays zero.
 */
#include "request.h"

#include "base/bytes.h"
#include "exit-status.h"
#include "scsi/scsi.h"

/* REGISTER AND MOVE, byte 17 of the list. */
#define MOVE_UNREG 0x02
#define MOVE_APTPL 0x01
/* The other actions, byte 20. */
#define SPEC_I_PT 0x08
#define ALL_TG_PT 0x04
#define APTPL     0x01

static uint8_t flags_of(const ScsiPrParameters *parameters, bool spec_i_pt)
{
	return (spec_i_pt ? SPEC_I_PT : 0) |
	       (parameters->all_tg_pt ? ALL_TG_PT : 0) |
	       (parameters->aptpl ? APTPL : 0);
}

static void append_be32(GByteArray *list, uint32_t value)
{
	uint8_t bytes[4];

	be32_put(bytes, value);
	g_byte_array_append(list, bytes, sizeof(bytes));
}

static void append_transport_ids(GByteArray *list, const TransportList *ids)
{
	append_be32(list, ids->bytes->len);
	g_byte_array_append(list, ids->bytes->data, ids->bytes->len);
}

/* SPC-4 6.16.4: the TransportID's length is part of the first 24 bytes. */
static void put_move(GByteArray *list, const ClientOptions *options,
		     const TransportList *ids)
{
	uint8_t bytes[20] = { 0 };

	be64_put(bytes, options->parameters.reservation_key);
	be64_put(bytes + 8, options->parameters.service_action_key);
	bytes[17] = (options->parameters.unreg ? MOVE_UNREG : 0) |
		    (options->parameters.aptpl ? MOVE_APTPL : 0);
	be16_put(bytes + 18, options->relative_target_port);
	g_byte_array_append(list, bytes, sizeof(bytes));
	append_transport_ids(list, ids);
}

/* SPC-4 6.16.3; with SPEC_I_PT the TransportIDs follow. */
static void put_basic(GByteArray *list, const ClientOptions *options,
		      const TransportList *ids)
{
	uint8_t bytes[SCSI_PR_PARAMETERS_LENGTH] = { 0 };

	be64_put(bytes, options->parameters.reservation_key);
	be64_put(bytes + 8, options->parameters.service_action_key);
	bytes[20] = flags_of(&options->parameters, ids->count > 0);
	g_byte_array_append(list, bytes, sizeof(bytes));
	if (ids->count > 0)
		append_transport_ids(list, ids);
}

static GByteArray *parameters_new(const ClientOptions *options,
				  const TransportList *ids)
{
	GByteArray *list = g_byte_array_new();

	if (options->service_action == SCSI_PR_OUT_REGISTER_AND_MOVE)
		put_move(list, options, ids);
	else
		put_basic(list, options, ids);
	return list;
}

static bool check(const ClientOptions *options, const TransportList *ids,
		  GError **error)
{
	/* A file may hold more than the one that the options promised. */
	if (options->service_action == SCSI_PR_OUT_REGISTER_AND_MOVE &&
	    ids->count != 1) {
		g_set_error(error, CLIENT_ERROR, EXIT_STATUS_CONTRADICTION,
			    "--register-move needs exactly one TransportID, "
			    "not %u",
			    ids->count);
		return false;
	}
	if (ids->bytes->len + SCSI_PR_PARAMETERS_LENGTH + 4 > WIRE_DATA_MAX) {
		g_set_error(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX,
			    "--transport-id: %u TransportIDs do not fit in a "
			    "parameter list of %d bytes",
			    ids->count, WIRE_DATA_MAX);
		return false;
	}
	return true;
}

bool client_request_init(ClientRequest *ret_request,
			 const ClientOptions *options,
			 const TransportList *transport_ids, GError **error)
{
	ClientRequest request = { { options->opcode,
				    options->service_action } };

	if (options->opcode == SCSI_PERSISTENT_RESERVE_IN) {
		be16_put(request.cdb + 7, options->allocation_length);
		*ret_request = request;
		return true;
	}
	if (!check(options, transport_ids, error))
		return false;
	request.parameters = parameters_new(options, transport_ids);
	request.cdb[2] = options->type & 0x0f;
	be32_put(request.cdb + 5, request.parameters->len);
	*ret_request = request;
	return true;
}

void client_request_deinit(ClientRequest *request)
{
	g_clear_pointer(&request->parameters, g_byte_array_unref);
}
