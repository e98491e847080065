/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/start.h"

#include "device/backend.h"
#include "process/descriptors.h"
#include "process/privileges.h"
#include "threads/fd-budget.h"

bool start_drop_privileges(const Options *options, GError **error)
{
	Privileges privileges = {
		.user = options->user,
		.group = options->group,
		.capabilities = backend_capabilities(),
	};

	return privileges_drop(&privileges, error);
}

StartCapacity start_capacity(void)
{
	unsigned int files = descriptors_raise_limit();
	unsigned int table = fd_budget_table(files, descriptors_open());

	return (StartCapacity) {
		.files = files,
		.table = table,
		.clients = fd_budget_clients(table),
	};
}
