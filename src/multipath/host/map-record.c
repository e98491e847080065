/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "multipath/host/map-record.h"

#include <glib.h>
#include <pthread.h>

#include "base/rate-limit.h"

#define WARNINGS    10 /* per map and interval */
#define INTERVAL_US ((int64_t)10 * 1000 * 1000)

typedef struct Record {
	Hold hold;
	RateLimit warnings;
} Record;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *records; /* of Record, by UUID */

/* Under the lock. */
static Record *record_of(const char *uuid)
{
	Record *record;

	if (!records)
		records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
						g_free);
	record = g_hash_table_lookup(records, uuid);
	if (!record) {
		record = g_new0(Record, 1);
		record->warnings = (RateLimit) { .interval_us = INTERVAL_US,
						 .burst = WARNINGS };
		g_hash_table_insert(records, g_strdup(uuid), record);
	}
	return record;
}

Hold map_record_hold(const char *uuid)
{
	Hold hold;

	pthread_mutex_lock(&lock);
	hold = record_of(uuid)->hold;
	pthread_mutex_unlock(&lock);
	return hold;
}

void map_record_set_hold(const char *uuid, Hold hold)
{
	pthread_mutex_lock(&lock);
	record_of(uuid)->hold = hold;
	pthread_mutex_unlock(&lock);
}

bool map_record_admit_warning(const char *uuid, int64_t now,
			      unsigned int *ret_suppressed)
{
	RateLimit *warnings;
	bool admitted;

	pthread_mutex_lock(&lock);
	warnings = &record_of(uuid)->warnings;
	admitted = rate_limit_admit(warnings, now);
	*ret_suppressed = admitted ? rate_limit_take_suppressed(warnings) : 0;
	pthread_mutex_unlock(&lock);
	return admitted;
}
