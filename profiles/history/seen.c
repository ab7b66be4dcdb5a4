/* What is kept in mind of a series of runs. */
#include "profiles/history/seen.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/db.h"
#include "symbolize/base/memory.h"

const char *const sp_seen_keys[SP_SEEN_METRICS] = {
	"wall_ns", "cpu_ns", "peak_rss_bytes", "queue_ns", "cache_misses", "user_ns", "sys_ns"};

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

static void add(struct sp_seen *seen, const struct sp_history_run *run)
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
		row->values[m] = NAN;
}

/* A run with texts of the statement's. */
static struct sp_history_run take(sqlite3_stmt *s)
{
	struct sp_history_run run = {.state = (char *)sp_history_text(s, 2),
		.exit_status = sqlite3_column_int(s, 3),
		.signal = sqlite3_column_int(s, 4),
		.jobs = (unsigned)sqlite3_column_int(s, 5),
		.build_id = (char *)sp_history_text(s, 6)};

	sp_history_id(s, 1, run.id);
	return run;
}

/* The newest first. Puts down where each run of the store's number is, from 1 on. */
static int load_runs(struct sp_history *store, int64_t series, size_t most, struct sp_seen *seen, struct sp_map *places,
	int64_t *least)
{
	sqlite3_stmt *s = sp_history_bind(store,
		"SELECT r.number, r.id, r.state, r.exit_status, r.signal, r.jobs, b.text FROM run r"
		" JOIN text b ON b.id=r.build_id WHERE r.series=?1 ORDER BY r.started_ns DESC, r.number DESC LIMIT ?2",
		"ii", series, (int64_t)most);
	int got = s ? 1 : -EBADMSG, found;

	*least = INT64_MAX;
	while (got > 0 && (got = sp_history_step(store, s)) > 0) {
		int64_t number = sqlite3_column_int64(s, 0);
		struct sp_history_run run = take(s);

		add(seen, &run);
		*sp_map_at(places, (uint64_t)number, 0, &found) = (uint32_t)seen->count;
		*least = number < *least ? number : *least;
	}
	return got;
}

/* A series' values of a metric lie beside each other, in the order of the runs' numbers: reading a stretch of them is much faster than
 * looking up each run's. */
static int load_values(struct sp_history *store, int64_t series, int64_t least, struct sp_seen *seen,
	struct sp_map *places, enum sp_seen_metric metric)
{
	sqlite3_stmt *s = sp_history_bind(store,
		"SELECT run, value FROM total WHERE series=?1 AND metric=(SELECT id FROM metric WHERE name=?2) AND"
		" run>=?3",
		"iti", series, sp_seen_keys[metric], least);
	int got = s ? 1 : -EBADMSG, found;

	while (got > 0 && (got = sp_history_step(store, s)) > 0) {
		uint32_t place = *sp_map_at(places, (uint64_t)sqlite3_column_int64(s, 0), 0, &found);

		if (place)
			seen->runs[place - 1].values[metric] = sqlite3_column_double(s, 1);
	}
	return got;
}

static void reverse(struct sp_seen *seen)
{
	for (size_t i = 0; i < seen->count / 2; i++) {
		struct sp_seen_run first = seen->runs[i];

		seen->runs[i] = seen->runs[seen->count - 1 - i];
		seen->runs[seen->count - 1 - i] = first;
	}
}

int sp_seen_load(struct sp_history *store, int64_t series, size_t most, struct sp_seen *seen)
{
	struct sp_map places = {0};
	int64_t least;
	int err = load_runs(store, series, most, seen, &places, &least);

	for (unsigned m = 0; m < SP_SEEN_METRICS && !err; m++)
		err = load_values(store, series, least, seen, &places, m);
	for (size_t i = 0; i < seen->count; i++) {
		double *values = seen->runs[i].values;

		if (isnan(values[SP_SEEN_CPU]))
			values[SP_SEEN_CPU] = values[SP_SEEN_USER] + values[SP_SEEN_SYS];
	}
	reverse(seen);
	sp_map_free(&places);
	return err;
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
