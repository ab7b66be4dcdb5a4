/* Reading runs from the history. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/history/filter.h"
#include "symbolize/base/memory.h"

static const char head[] =
	"r.number, r.id, r.series, r.started_ns, s.kind, s.program, tx.text, s.args_class, s.environment, td.text,"
	" tc.text, tb.text, r.dirty, ti.text, r.jobs, s.profiled, m.class, m.cpu, m.millicores, m.memory_bytes, "
	"m.kernel,"
	" m.governor, r.state, r.exit_status, r.signal, r.note, r.profile, r.log, r.timeline";
#define ALL_JOINS ((1u << SP_HISTORY_JOINS) - 1)

static struct sp_history_run *take_head(sqlite3_stmt *s)
{
	struct sp_history_run *run = sp_history_run_make();

	sp_history_id(s, 1, run->id);
	run->series = sqlite3_column_int64(s, 2);
	run->started_ns = (uint64_t)sqlite3_column_int64(s, 3);
	sp_history_set(&run->kind, sp_history_text(s, 4));
	sp_history_set(&run->program, sp_history_text(s, 5));
	sp_history_set(&run->command, sp_history_text(s, 6));
	sp_history_set(&run->args_class, sp_history_text(s, 7));
	sp_history_set(&run->environment, sp_history_text(s, 8));
	sp_history_set(&run->directory, sp_history_text(s, 9));
	sp_history_set(&run->commit, sp_history_text(s, 10));
	sp_history_set(&run->branch, sp_history_text(s, 11));
	run->dirty = sqlite3_column_int(s, 12);
	sp_history_set(&run->build_id, sp_history_text(s, 13));
	run->jobs = (unsigned)sqlite3_column_int(s, 14);
	run->profiled = sqlite3_column_int(s, 15);
	snprintf(run->machine.class, sizeof(run->machine.class), "%s", sp_history_text(s, 16));
	sp_history_set(&run->machine.cpu, sp_history_text(s, 17));
	run->machine.millicores = (unsigned)sqlite3_column_int(s, 18);
	run->machine.memory_bytes = (uint64_t)sqlite3_column_int64(s, 19);
	sp_history_set(&run->machine.kernel, sp_history_text(s, 20));
	sp_history_set(&run->machine.governor, sp_history_text(s, 21));
	sp_history_set(&run->state, sp_history_text(s, 22));
	run->exit_status = sqlite3_column_int(s, 23);
	run->signal = sqlite3_column_int(s, 24);
	sp_history_set(&run->note, sp_history_text(s, 25));
	return run;
}

static double double_of(sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL ? NAN : sqlite3_column_double(s, column);
}

static int read_blobs(struct sp_history *store, struct sp_history_run *run, const int64_t *rows)
{
	for (int i = 0; i < SP_HISTORY_PARTS; i++) {
		sqlite3_stmt *s;
		int got;

		if (!rows[i])
			continue;
		s = sp_history_bind(store, "SELECT hash, bytes FROM blob WHERE id=?1", "i", rows[i]);
		got = s ? sp_history_step(store, s) : -EBADMSG;
		if (got < 0)
			return got;
		if (!got || sqlite3_column_bytes(s, 0) != (SP_HISTORY_HASH - 1) / 2)
			continue;
		sp_history_hex(sqlite3_column_blob(s, 0), (SP_HISTORY_HASH - 1) / 2, run->blobs[i].hash);
		run->blobs[i].bytes = (uint64_t)sqlite3_column_int64(s, 1);
		sqlite3_reset(s);
	}
	return 0;
}

static int read_metrics(struct sp_history *store, struct sp_history_run *run, int64_t number)
{
	sqlite3_stmt *s = sp_history_bind(store,
		"SELECT n.name, t.value, t.error FROM total t JOIN metric n ON n.id=t.metric WHERE t.run=?1 ORDER BY "
		"n.name",
		"i", number);
	int got = s ? 1 : -EBADMSG;

	while (got > 0 && (got = sp_history_step(store, s)) > 0)
		sp_history_add_metric(run, sp_history_text(s, 0), sqlite3_column_double(s, 1), double_of(s, 2));
	return got;
}

static int read_functions(struct sp_history *store, struct sp_history_run *run, int64_t number)
{
	sqlite3_stmt *s = sp_history_bind(store,
		"SELECT f.of, n.text, d.text, f.self, f.total, f.error FROM function f JOIN text n ON n.id=f.name"
		" JOIN text d ON d.id=f.module WHERE f.run=?1 ORDER BY f.of, f.self DESC, n.text",
		"i", number);
	int got = s ? 1 : -EBADMSG;

	while (got > 0 && (got = sp_history_step(store, s)) > 0)
		sp_history_add_function(run, (enum sp_history_of)sqlite3_column_int(s, 0), sp_history_text(s, 1),
			sp_history_text(s, 2), sqlite3_column_double(s, 3), double_of(s, 4), double_of(s, 5));
	return got;
}

static int read_tags(struct sp_history *store, struct sp_history_run *run, int64_t number)
{
	sqlite3_stmt *s = sp_history_bind(store, "SELECT tag FROM tag WHERE run=?1 ORDER BY tag", "i", number);
	int64_t pins = 0;
	int got = s ? 1 : -EBADMSG;

	while (got > 0 && (got = sp_history_step(store, s)) > 0)
		sp_history_add_tag(run, sp_history_text(s, 0));
	if (!got)
		got = sp_history_get(store, &pins, "SELECT count(*) FROM pin WHERE run=?1", "i", number);
	run->pinned = pins > 0;
	return got;
}

static int read_parts(struct sp_history *store, struct sp_history_run *run, sqlite3_stmt *s, unsigned parts)
{
	int64_t number = sqlite3_column_int64(s, 0), blobs[SP_HISTORY_PARTS];
	int err;

	for (int i = 0; i < SP_HISTORY_PARTS; i++)
		blobs[i] = sqlite3_column_int64(s, 26 + i);
	err = read_blobs(store, run, blobs);
	if (!err && (parts & SP_HISTORY_METRICS))
		err = read_metrics(store, run, number);
	if (!err && (parts & SP_HISTORY_FUNCTIONS))
		err = read_functions(store, run, number);
	if (!err && (parts & SP_HISTORY_TAGS))
		err = read_tags(store, run, number);
	return err;
}

static const char *order_of(const struct sp_history_filter *filter)
{
	return filter->oldest_first ? " ORDER BY r.started_ns, r.number LIMIT ?31 OFFSET ?32"
				    : " ORDER BY r.started_ns DESC, r.number DESC LIMIT ?31 OFFSET ?32";
}

static int prepare_ordered(struct sp_history *store, const struct sp_history_filter *filter, sqlite3_stmt **s)
{
	int err = sp_history_prepare(store, head, SP_HISTORY_RUNS, ALL_JOINS, filter, order_of(filter), s);

	if (err)
		return err;
	sqlite3_bind_int64(*s, 31, filter->limit ? (int64_t)filter->limit : -1);
	sqlite3_bind_int64(*s, 32, (int64_t)filter->offset);
	return 0;
}

int sp_history_each(struct sp_history *store, const struct sp_history_filter *filter, unsigned parts,
	sp_history_each_fn *each, void *context)
{
	sqlite3_stmt *s;
	int err = prepare_ordered(store, filter, &s), got;

	while (!err && (got = sp_history_step(store, s)) != 0) {
		struct sp_history_run *run = got < 0 ? NULL : take_head(s);

		err = got < 0 ? got : read_parts(store, run, s, parts);
		if (!err)
			err = each(run, context);
		sp_history_run_free(run);
	}
	sqlite3_finalize(s);
	return err;
}

int sp_history_count(struct sp_history *store, const struct sp_history_filter *filter, uint64_t *count)
{
	sqlite3_stmt *s;
	int err = sp_history_prepare(store, "count(*)", SP_HISTORY_RUNS, 0, filter, "", &s);
	int got = err ? err : sp_history_step(store, s);

	*count = got > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return got < 0 ? got : 0;
}

/* --- one run */

struct finding {
	char id[SP_HISTORY_ID];
	size_t found;
};

static int note_id(const struct sp_history_run *run, void *context)
{
	struct finding *finding = context;

	if (!finding->found++)
		memcpy(finding->id, run->id, sizeof(run->id));
	return 0;
}

static int read_one(struct sp_history *store, const char *id, unsigned parts, struct sp_history_run **run)
{
	const struct sp_history_filter filter = {.id = id};
	sqlite3_stmt *s;
	int err = prepare_ordered(store, &filter, &s), got = err ? err : sp_history_step(store, s);

	if (got > 0) {
		*run = take_head(s);
		err = read_parts(store, *run, s, parts);
	} else {
		err = got < 0 ? got : sp_history_fail(store, -ENOENT, "the history %s has no run %s", store->path, id);
	}
	sqlite3_finalize(s);
	return err;
}

/* A run of a time to come was kept while the clock was wrong, and would be the latest for long. */
#define FUTURE_S 86400

/* "latest" or "latest~N" or hexadecimal digits. */
static int understand(struct sp_history *store, const char *id, struct sp_history_filter *filter)
{
	size_t digits = strspn(id, "0123456789abcdef");
	char *end = NULL;

	if (strncmp(id, "latest", 6) == 0 && (!id[6] || id[6] == '~')) {
		if (id[6])
			filter->offset = strtoul(id + 7, &end, 10);
		filter->limit = 1;
		filter->until_ns = ((uint64_t)time(NULL) + FUTURE_S) * 1000000000u;
		if (!id[6] || (id[7] >= '0' && id[7] <= '9' && !*end))
			return 0;
	} else if (!id[digits] && digits >= 4 && digits < SP_HISTORY_ID) {
		filter->id = id;
		filter->limit = 2;
		return 0;
	}
	return sp_history_fail(store, -ENOENT,
		"'%.64s' is no run: give the first digits of an id (4 or more), latest, or latest~N; see `smartprof "
		"history`",
		id);
}

int sp_history_find(struct sp_history *store, const char *id, unsigned parts, struct sp_history_run **run)
{
	struct sp_history_filter filter = {0};
	struct finding finding = {.found = 0};
	int err = understand(store, id, &filter);

	*run = NULL;
	if (!err)
		err = sp_history_each(store, &filter, 0, note_id, &finding);
	if (!err && !finding.found)
		err = sp_history_fail(store, -ENOENT, "the history %s has no run %.64s; see `smartprof history`",
			store->path, id);
	if (!err && finding.found > 1)
		err = sp_history_fail(store, -ENOTUNIQ, "several runs' ids begin with %.64s: give more digits", id);
	if (!err)
		err = read_one(store, finding.id, parts, run);
	if (err) {
		sp_history_run_free(*run);
		*run = NULL;
	}
	return err;
}
