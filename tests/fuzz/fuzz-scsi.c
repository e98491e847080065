/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CDBs, parameter lists and sense data of every length and content, and the
 * names of what they say.
 */
#include "fuzz.h"
#include "scsi/scsi.h"

static void assert_name(const char *name)
{
	g_assert_nonnull(name);
	g_assert_cmpuint(strlen(name), >, 0);
}

static void decode_cdb(const uint8_t *bytes)
{
	bool ours = bytes[0] == SCSI_PERSISTENT_RESERVE_IN ||
		    bytes[0] == SCSI_PERSISTENT_RESERVE_OUT;
	ScsiPrCdb pr;

	assert_name(scsi_opcode_name(bytes[0]));
	g_assert_true(scsi_pr_cdb_get(bytes, &pr) == ours);
	if (!ours)
		return;
	g_assert_cmphex(pr.service_action, <=, 0x1f);
	g_assert_cmphex(pr.scope, <=, 0xf);
	g_assert_cmphex(pr.type, <=, 0xf);
	if (pr.opcode == SCSI_PERSISTENT_RESERVE_IN)
		g_assert_cmphex(pr.length, <=, 0xffff);
	assert_name(scsi_service_action_name(pr.opcode, pr.service_action));
	assert_name(scsi_pr_type_name(pr.type));
}

static void decode_parameters(uint8_t service_action, const uint8_t *bytes,
			      size_t size)
{
	bool move = service_action == SCSI_PR_OUT_REGISTER_AND_MOVE;
	ScsiPrParameters parameters;

	g_assert_true(scsi_pr_parameters_get(service_action, bytes, size,
					     &parameters) ==
		      (size >= SCSI_PR_PARAMETERS_LENGTH));
	if (size < SCSI_PR_PARAMETERS_LENGTH)
		return;
	g_assert_false(!move && parameters.unreg);
	g_assert_false(move && (parameters.spec_i_pt || parameters.all_tg_pt));
}

static void decode_sense(const uint8_t *bytes, size_t size)
{
	uint8_t written[SCSI_SENSE_FIXED_LENGTH];
	ScsiSense sense, again;

	if (!scsi_sense_get(bytes, size, &sense))
		return;
	g_assert_cmphex(sense.key, <=, 0xf);
	assert_name(scsi_sense_key_name(sense.key));
	g_assert_nonnull(scsi_sense_code_text(sense.asc, sense.ascq));
	scsi_sense_put(written, sizeof(written), sense);
	g_assert_true(scsi_sense_get(written, sizeof(written), &again));
	g_assert_cmpmem(&sense, sizeof(sense), &again, sizeof(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint8_t cdb[SCSI_PR_CDB_LENGTH];
	g_autofree uint8_t *rest = NULL;

	input_bytes(&input, cdb, sizeof(cdb));
	decode_cdb(cdb);
	assert_name(scsi_status_name(cdb[9]));
	rest = exact_copy(input.data, input.size);
	decode_parameters(cdb[1] & 0x1f, rest, input.size);
	decode_sense(rest, input.size);
	return 0;
}
