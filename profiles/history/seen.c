/* What is kept in mind of a series of runs. */
#include "profiles/history/seen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

const char *const sp_seen_keys[] = {
	"wall_ns", "cpu_ns", "peak_rss_bytes", "queue_ns", "cache_misses", "user_ns", "sys_ns", NULL};

static void put_ending(struct sp_seen_run *seen, const struct sp_history_run *run)
{
	if (run->signal)
		snprintf(seen->ending, sizeof(seen->ending), "signal %d", run->signal);
	else if (strcmp(run->state, "failed") == 0)
		snprintf(seen->ending, sizeof(seen->ending), "exit %d", run->exit_status);
	else
		snprintf(seen->ending, sizeof(seen->ending), "%s", run->state);
}

static bool is_one_of(const char *state, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(state, *names) == 0)
			return true;
	return false;
}

void sp_seen_add(struct sp_seen *seen, const struct sp_history_run *run)
{
	static const char *const failures[] = {"failed", "signal", "timeout", NULL};
	struct sp_seen_run *row;

	sp_grow(&seen->runs, &seen->capacity, seen->count + 1, sizeof(*seen->runs));
	row = &seen->runs[seen->count++];
	*row = (struct sp_seen_run){.good = sp_history_is_good(run), .failed = is_one_of(run->state, failures)};
	memcpy(row->id, run->id, sizeof(row->id));
	snprintf(row->build, sizeof(row->build), "%s", run->build_id);
	put_ending(row, run);
	for (unsigned m = 0; m < SP_SEEN_METRICS; m++)
		row->values[m] = sp_history_value(run, sp_seen_keys[m], NULL);
	if (isnan(row->values[SP_SEEN_CPU]))
		row->values[SP_SEEN_CPU] =
			sp_history_value(run, "user_ns", NULL) + sp_history_value(run, "sys_ns", NULL);
}

void sp_seen_reverse(struct sp_seen *seen)
{
	for (size_t i = 0; i < seen->count / 2; i++) {
		struct sp_seen_run first = seen->runs[i];

		seen->runs[i] = seen->runs[seen->count - 1 - i];
		seen->runs[seen->count - 1 - i] = first;
	}
}

void sp_seen_free(struct sp_seen *seen)
{
	free(seen->runs);
	*seen = (struct sp_seen){0};
}

size_t sp_seen_values(const struct sp_seen *seen, enum sp_seen_metric metric, double **values, size_t **indexes)
{
	size_t n = 0;

	*values = sp_alloc(seen->count + 1, sizeof(**values));
	*indexes = sp_alloc(seen->count + 1, sizeof(**indexes));
	for (size_t i = 0; i < seen->count; i++) {
		double value = seen->runs[i].values[metric];

		if (!seen->runs[i].good || isnan(value))
			continue;
		(*values)[n] = value;
		(*indexes)[n++] = i;
	}
	return n;
}
