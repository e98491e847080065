/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of things: TransportIDs, request, device, helper, report. A
 * failure of one ends the run with a GError; a command that the device refuses
 * is no failure of ours, but a result.
 */
#include "run.h"

#include "base/fd.h"
#include "connection.h"
#include "device.h"
#include "helper-report.h"
#include "helper.h"
#include "json-report.h"
#include "json.h"
#include "pr-in.h"
#include "print.h"
#include "request.h"
#include "scsi/scsi.h"

typedef struct Run {
	const ClientOptions *options;
	ClientOutput *output;
	JsonWriter json; /* in an object; used with --json only */
	ClientRequest request;
	bool device_is_read_only;
	ClientReply reply;
} Run;

static void message(Run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void message(Run *run, const char *format, ...)
{
	GString *messages = run->output->messages;
	va_list arguments;

	g_string_append(messages, "qemu-pr-client: ");
	va_start(arguments, format);
	g_string_append_vprintf(messages, format, arguments);
	va_end(arguments);
	g_string_append_c(messages, '\n');
}

static bool prepare_request(Run *run, GError **error)
{
	const GPtrArray *arguments = run->options->transport_ids;
	TransportList ids;
	bool prepared = true;

	transport_list_init(&ids);
	for (guint i = 0; prepared && i < arguments->len; i++)
		prepared = transport_list_add(&ids, arguments->pdata[i], error);
	prepared = prepared && client_request_init(&run->request, run->options,
						   &ids, error);
	transport_list_deinit(&ids);
	return prepared;
}

/* What needs a type, and what sg_persist warns of, too. */
static void warn_of_type(Run *run)
{
	const ClientOptions *options = run->options;

	if (options->opcode != SCSI_PERSISTENT_RESERVE_OUT || options->has_type)
		return;
	switch (options->service_action) {
	case SCSI_PR_OUT_RESERVE:
	case SCSI_PR_OUT_RELEASE:
	case SCSI_PR_OUT_PREEMPT:
	case SCSI_PR_OUT_PREEMPT_AND_ABORT:
		message(run,
			"warning: --prout-type probably needs to be given");
		break;
	default:
		break;
	}
}

static bool send_request(Run *run, int device, GError **error)
{
	const ClientOptions *options = run->options;
	ClientConnection connection;
	bool answered;

	if (!client_connection_open(&connection, options->socket,
				    options->timeout, error))
		return false;
	answered = client_connection_command(&connection, run->request.cdb,
					     device, run->request.parameters,
					     &run->reply, error);
	client_connection_close(&connection);
	return answered;
}

static bool wants_write(const ClientOptions *options)
{
	/* Twice --readonly is sg_persist's way to say "read-write". */
	if (options->readonly > 0)
		return options->readonly > 1;
	return options->opcode == SCSI_PERSISTENT_RESERVE_OUT;
}

static bool execute(Run *run, GError **error)
{
	const ClientOptions *options = run->options;
	autofd device = -1;

	device = client_device_open(options->device, wants_write(options),
				    &run->device_is_read_only, error);
	if (device < 0)
		return false;
	if (options->verbose)
		print_request(run->output->messages, &run->request,
			      options->verbose);
	return send_request(run, device, error);
}

/* NO SENSE and RECOVERED ERROR are remarks on a command that has succeeded. Of
 * PERSISTENT RESERVE IN the helper sends no data with them. */
static bool was_carried_out(const Run *run)
{
	ExitStatus status = exit_status_of_reply(&run->reply.header);

	return run->options->opcode == SCSI_PERSISTENT_RESERVE_OUT &&
	       (status == EXIT_STATUS_NO_SENSE ||
		status == EXIT_STATUS_RECOVERED);
}

/* What a person should try next, where that is known. */
static const char *hint(const Run *run)
{
	bool out = run->options->opcode == SCSI_PERSISTENT_RESERVE_OUT;
	ScsiSense sense;

	if (run->reply.header.status == SCSI_RESERVATION_CONFLICT)
		return "; --read-full-status shows who is registered and who "
		       "holds the reservation";
	if (run->reply.header.status != SCSI_CHECK_CONDITION ||
	    !scsi_sense_get(run->reply.header.sense, WIRE_SENSE_SIZE, &sense))
		return "";
	if (was_carried_out(run))
		return "; the command was carried out";
	if (out && run->device_is_read_only && sense.asc == 0x20)
		return "; DEVICE is open for reading only, and this command "
		       "needs it open for writing";
	if (sense.key == SCSI_SENSE_ABORTED_COMMAND && sense.asc == 0x00 &&
	    sense.ascq == 0x06)
		return "; the helper could not send the command: is DEVICE a "
		       "SCSI device, and is it online?";
	if (sense.key == SCSI_SENSE_UNIT_ATTENTION)
		return "; the command was not carried out; try again";
	return "";
}

static void report_refusal(Run *run)
{
	g_autoptr(GString) text = g_string_new("");

	print_command_name(text, run->request.cdb);
	g_string_append(text, ": ");
	print_outcome(text, &run->reply.header);
	message(run, "%s: %s%s", run->options->device, text->str, hint(run));
}

static void print_payload(Run *run, const PrInAnswer *answer)
{
	const ClientOptions *options = run->options;

	if (options->json) {
		json_report_answer(&run->json, answer);
		if (options->hex)
			json_add_bytes(&run->json, "payload", answer->payload,
				       answer->size);
	} else if (options->hex) {
		print_answer_hex(run->output->out, answer, options->hex);
	} else {
		print_answer(run->output->out, answer);
	}
}

static ExitStatus report_payload(Run *run)
{
	PrInAnswer answer = {
		.service_action = run->options->service_action,
		.payload = run->reply.payload,
		.size = run->reply.header.size,
		.allocation_length = run->options->allocation_length,
	};
	g_autofree char *problem = pr_in_problem(&answer);

	print_payload(run, &answer);
	if (!problem)
		return EXIT_STATUS_OK;
	message(run, "%s: the device's answer is malformed: %s",
		run->options->device, problem);
	if (run->options->json)
		json_add_string(&run->json, "problem", problem);
	return EXIT_STATUS_MALFORMED;
}

static ExitStatus report_result(Run *run)
{
	const WireReply *reply = &run->reply.header;

	if (run->options->json)
		json_report_outcome(&run->json, reply);
	if (reply->status != SCSI_GOOD) {
		report_refusal(run);
		return was_carried_out(run) ? EXIT_STATUS_OK
					    : exit_status_of_reply(reply);
	}
	if (run->options->opcode == SCSI_PERSISTENT_RESERVE_IN)
		return report_payload(run);
	if (run->options->verbose)
		print_success(run->output->messages, run->request.cdb);
	return EXIT_STATUS_OK;
}

static ExitStatus run_command(Run *run, GError **error)
{
	ExitStatus status = EXIT_STATUS_OTHER;

	if (run->options->json)
		json_add_string(&run->json, "device", run->options->device);
	if (!prepare_request(run, error))
		return status;
	warn_of_type(run);
	if (run->options->json)
		json_report_command(&run->json, run->request.cdb);
	if (execute(run, error))
		status = report_result(run);
	client_request_deinit(&run->request);
	return status;
}

static void print_ping(GString *text, const char *socket,
		       const HelperIdentity *helper)
{
	g_string_append_printf(text, "%s: ", socket);
	helper_report_text(text, helper);
	g_string_append_c(text, '\n');
}

static ExitStatus run_ping(Run *run, GError **error)
{
	const ClientOptions *options = run->options;
	ClientConnection connection;
	HelperIdentity helper;

	if (!client_connection_open(&connection, options->socket,
				    options->timeout, error))
		return EXIT_STATUS_OTHER;
	helper_identify(&connection, &helper);
	client_connection_close(&connection);
	if (options->json)
		helper_report_json(&run->json, &helper);
	else
		print_ping(run->output->out, options->socket, &helper);
	helper_deinit(&helper);
	return EXIT_STATUS_OK;
}

static ExitStatus report_error(Run *run, const GError *error)
{
	message(run, "%s", error->message);
	if (run->options->json)
		json_add_string(&run->json, "error", error->message);
	return (ExitStatus)error->code;
}

ExitStatus client_run(const ClientOptions *options, ClientOutput *output)
{
	Run run = { .options = options, .output = output };
	g_autoptr(GError) error = NULL;
	ExitStatus status;

	if (options->json) {
		json_init(&run.json, output->out);
		json_begin_object(&run.json, NULL);
		json_add_string(&run.json, "socket", options->socket);
	}
	if (options->action == CLIENT_ACTION_PING)
		status = run_ping(&run, &error);
	else
		status = run_command(&run, &error);
	if (error)
		status = report_error(&run, error);
	if (options->json) {
		json_add_number(&run.json, "exit_status", status);
		json_end_object(&run.json);
	}
	return status;
}
