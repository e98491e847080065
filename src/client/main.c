/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-pr-client: SCSI persistent reservations through qemu-pr-helper, for
 * operators, probes and tests. Reads the command line, runs, prints; output
 * that could not be written is a failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "exit-status.h"
#include "options.h"
#include "run.h"

/* Where a standard descriptor is closed, the device would be opened in its
 * place, and printed to. The wrong access mode keeps the error of using it. */
static void occupy_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null",
			     fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static ExitStatus print_and_close(const char *text, ExitStatus status)
{
	fputs(text, stdout);
	/* Both, since a full disk may show up as late as at the close. */
	if (!ferror(stdout) && fclose(stdout) == 0)
		return status;
	fprintf(stderr, "qemu-pr-client: cannot write to standard output: %s\n",
		g_strerror(errno));
	return status == EXIT_STATUS_OK ? EXIT_STATUS_FILE : status;
}

static ExitStatus run(const ClientOptions *options)
{
	g_autoptr(GString) out = g_string_new("");
	g_autoptr(GString) messages = g_string_new("");
	ClientOutput output = { out, messages };
	ExitStatus status = client_run(options, &output);

	fputs(messages->str, stderr);
	return print_and_close(out->str, status);
}

static ExitStatus act(const ClientOptions *options)
{
	switch (options->action) {
	case CLIENT_ACTION_HELP:
		return print_and_close(client_options_help(), EXIT_STATUS_OK);
	case CLIENT_ACTION_VERSION:
		return print_and_close("qemu-pr-client " VERSION "\n",
				       EXIT_STATUS_OK);
	default:
		return run(options);
	}
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	ClientOptions options;
	ExitStatus status;

	occupy_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	if (!client_options_parse(argc, argv, &options, &error)) {
		fprintf(stderr,
			"qemu-pr-client: %s\n"
			"Try 'qemu-pr-client --help' for more information.\n",
			error->message);
		return error->code;
	}
	status = act(&options);
	client_options_deinit(&options);
	return (int)status;
}
