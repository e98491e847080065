/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which command the options ask for, and whether they go together. What only
 * the device can judge is left to the device: this client is a means of
 * testing devices, too.
 */
#include "options-check.h"

#include "exit-status.h"

static bool contradiction(GError **error, const char *message)
{
	g_set_error_literal(error, CLIENT_ERROR, EXIT_STATUS_CONTRADICTION,
			    message);
	return false;
}

static bool check_direction(const OptionsDraft *draft, GError **error)
{
	if (draft->in && draft->out)
		return contradiction(error, "choose --in or --out, not both");
	if (draft->out_actions && !draft->out)
		return contradiction(error,
				     "this action changes reservations; as a "
				     "safeguard, it also needs --out");
	if (draft->out && (draft->out_actions != 1 || draft->in_actions))
		return contradiction(error,
				     "--out needs exactly one action, for "
				     "example --register");
	if (draft->in_actions > 1)
		return contradiction(error, "only one action can be given");
	return true;
}

static bool is_registration(uint8_t action)
{
	/* SPC-3 let the second one carry TransportIDs, too. */
	return action == SCSI_PR_OUT_REGISTER ||
	       action == SCSI_PR_OUT_REGISTER_AND_IGNORE_EXISTING_KEY;
}

static bool check_move(const OptionsDraft *draft, GError **error)
{
	const ClientOptions *options = &draft->options;
	bool move = draft->out &&
		    options->service_action == SCSI_PR_OUT_REGISTER_AND_MOVE;

	if (move && options->parameters.all_tg_pt)
		return contradiction(error,
				     "--param-alltgpt cannot be used with "
				     "--register-move");
	if (move && options->transport_ids->len != 1)
		return contradiction(error, "--register-move needs exactly one "
					    "--transport-id");
	if (!move && (options->parameters.unreg || draft->has_port))
		return contradiction(error,
				     "--unreg and --relative-target-port can "
				     "only be used with --register-move");
	if (!move && options->transport_ids->len > 0 &&
	    !(draft->out && is_registration(options->service_action)))
		return contradiction(error,
				     "--transport-id can only be used with "
				     "--register, --register-ignore and "
				     "--register-move");
	return true;
}

static bool check_device(const OptionsDraft *draft, GError **error)
{
	if (draft->options.device)
		return true;
	g_set_error_literal(error, CLIENT_ERROR, EXIT_STATUS_SYNTAX,
			    "no DEVICE is given");
	return false;
}

static bool check_ping(const OptionsDraft *draft, GError **error)
{
	if (draft->options.device || draft->in || draft->out ||
	    draft->in_actions || draft->out_actions)
		return contradiction(error,
				     "--ping takes no DEVICE and no action");
	return true;
}

bool client_options_check(OptionsDraft *draft, GError **error)
{
	switch (draft->options.action) {
	case CLIENT_ACTION_HELP:
	case CLIENT_ACTION_VERSION:
		return true;
	case CLIENT_ACTION_PING:
		return check_ping(draft, error);
	case CLIENT_ACTION_COMMAND:
		break;
	}
	draft->options.opcode = draft->out ? SCSI_PERSISTENT_RESERVE_OUT
					   : SCSI_PERSISTENT_RESERVE_IN;
	return check_device(draft, error) && check_direction(draft, error) &&
	       check_move(draft, error);
}
