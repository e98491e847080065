/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/thread.h"

static _Thread_local bool is_worker;

void thread_mark_worker(void)
{
	is_worker = true;
}

bool thread_is_main(void)
{
	return !is_worker;
}
