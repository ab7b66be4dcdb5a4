/* Metrics over runs: series of values, and groups of runs that can be compared. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/filter.h"
#include "symbolize/base/memory.h"

static double double_of(sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL ? NAN : sqlite3_column_double(s, column);
}

/* --- points */

/* Few texts stand in many runs: each is read once. */
struct texts {
	struct sp_names names;
	struct sp_map rows; /* of the database: the name's id and one */
};

static int text_of_row(struct sp_history *store, struct texts *texts, int64_t row, const char **text)
{
	int found;
	uint32_t *id = sp_map_at(&texts->rows, (uint64_t)row, 0, &found);
	sqlite3_stmt *s;
	int got = 1;

	if (!*id) {
		s = sp_history_bind(store, "SELECT text FROM text WHERE id=?1", "i", row);
		got = s ? sp_history_step(store, s) : -EBADMSG;
		*id = sp_names_id(&texts->names, got > 0 ? sp_history_text(s, 0) : "") + 1;
		if (got > 0)
			sqlite3_reset(s);
	}
	*text = sp_names_text(&texts->names, *id - 1);
	return got < 0 ? got : 0;
}

static int add_point(struct sp_history *store, struct sp_history_points *points, sqlite3_stmt *s)
{
	struct texts *texts = points->texts;
	struct sp_history_point *p;
	int err;

	sp_grow(&points->items, &points->capacity, points->count + 1, sizeof(*points->items));
	p = &points->items[points->count++];
	*p = (struct sp_history_point){.started_ns = (uint64_t)sqlite3_column_int64(s, 1),
		.value = sqlite3_column_double(s, 2),
		.error = double_of(s, 3)};
	if (sqlite3_column_bytes(s, 0) == (SP_HISTORY_ID - 1) / 2)
		sp_history_hex(sqlite3_column_blob(s, 0), (SP_HISTORY_ID - 1) / 2, p->id);
	err = text_of_row(store, texts, sqlite3_column_int64(s, 4), &p->commit);
	if (!err)
		err = text_of_row(store, texts, sqlite3_column_int64(s, 5), &p->branch);
	return err ? err : text_of_row(store, texts, sqlite3_column_int64(s, 6), &p->build_id);
}

static int oldest_first(const void *left, const void *right)
{
	const struct sp_history_point *a = left, *b = right;

	if (a->started_ns != b->started_ns)
		return a->started_ns < b->started_ns ? -1 : 1;
	return strcmp(a->id, b->id);
}

static int newest_first(const void *left, const void *right)
{
	return oldest_first(right, left);
}

/* Sorting all of them here is faster than having rows sorted. */
static void arrange(struct sp_history_points *points, const struct sp_history_filter *filter)
{
	size_t skipped = filter->offset < points->count ? filter->offset : points->count;

	qsort(points->items, points->count, sizeof(*points->items), filter->oldest_first ? oldest_first : newest_first);
	points->count -= skipped;
	if (skipped && points->count)
		memmove(points->items, points->items + skipped, points->count * sizeof(*points->items));
	if (filter->limit && filter->limit < points->count)
		points->count = filter->limit;
}

/* A series' values of a metric lie beside each other: it begins with them. */
int sp_history_series(struct sp_history *store, const struct sp_history_filter *filter, const char *metric,
	struct sp_history_points *points)
{
	static const char columns[] = "r.id, r.started_ns, t.value, t.error, r.commit_id, r.branch, r.build_id";
	static const char from[] =
		"series s CROSS JOIN machine m ON m.id=s.machine CROSS JOIN total t ON t.series=s.id AND"
		" t.metric=(SELECT id FROM metric WHERE name=?31) CROSS JOIN run r ON r.number=t.run";
	sqlite3_stmt *s;
	int err, got = 1;

	*points = (struct sp_history_points){.texts = sp_alloc(1, sizeof(struct texts))};
	err = sp_history_prepare(store, columns, from, SP_HISTORY_HAS_SERIES, filter, "", &s);
	if (!err)
		err = sp_history_check(store, sqlite3_bind_text(s, 31, metric, -1, SQLITE_STATIC));
	while (!err && (got = sp_history_step(store, s)) > 0)
		err = add_point(store, points, s);
	sqlite3_finalize(s);
	if (!err && got == 0 && points->count)
		arrange(points, filter);
	return err ? err : got < 0 ? got : 0;
}

void sp_history_points_free(struct sp_history_points *points)
{
	struct texts *texts = points->texts;

	if (texts) {
		sp_names_free(&texts->names);
		sp_map_free(&texts->rows);
	}
	free(texts);
	free(points->items);
	*points = (struct sp_history_points){0};
}

/* --- groups */

struct values {
	double *items;
	size_t count;
};

/* The newest first, turned. Of a series, runs' numbers grow as they are added; what was imported is older than its number says, which
 * is seldom, and no reason to sort every series. */
static int read_values(struct sp_history *store, int64_t series, const char *metric, size_t most, struct values *values)
{
	sqlite3_stmt *s = sp_history_bind(store,
		"SELECT t.value FROM total t JOIN run r ON r.number=t.run WHERE t.series=?1 AND"
		" t.metric=(SELECT id FROM metric WHERE name=?2) AND r.state='ok' ORDER BY t.run DESC LIMIT ?3",
		"iti", series, metric, (int64_t)most);
	int got = s ? 1 : -EBADMSG;

	values->count = 0;
	while (got > 0 && (got = sp_history_step(store, s)) > 0)
		values->items[values->count++] = sqlite3_column_double(s, 0);
	for (size_t i = 0; i < values->count / 2; i++) {
		double first = values->items[i];

		values->items[i] = values->items[values->count - 1 - i];
		values->items[values->count - 1 - i] = first;
	}
	return got;
}

static void take_group(struct sp_history_group *group, sqlite3_stmt *s)
{
	*group = (struct sp_history_group){.series = sqlite3_column_int64(s, 0),
		.runs = (uint64_t)sqlite3_column_int64(s, 1),
		.good = (uint64_t)sqlite3_column_int64(s, 2),
		.first_ns = (uint64_t)sqlite3_column_int64(s, 3),
		.last_ns = (uint64_t)sqlite3_column_int64(s, 4)};
}

/* What is the same for all of its runs; in texts that live as long as the statements are not used again. */
static int describe(struct sp_history *store, struct sp_history_group *group, sqlite3_stmt **series,
	sqlite3_stmt **newest)
{
	int got;

	*series = sp_history_bind(store,
		"SELECT s.program, s.args_class, s.environment, s.kind, m.class, s.profiled, s.parallel"
		" FROM series s JOIN machine m ON m.id=s.machine WHERE s.id=?1",
		"i", group->series);
	got = *series ? sp_history_step(store, *series) : -EBADMSG;
	if (got <= 0)
		return got < 0 ? got : sp_history_check(store, SQLITE_CORRUPT);
	group->program = sp_history_text(*series, 0);
	group->args_class = sp_history_text(*series, 1);
	group->environment = sp_history_text(*series, 2);
	group->kind = sp_history_text(*series, 3);
	group->machine = sp_history_text(*series, 4);
	group->profiled = sqlite3_column_int(*series, 5);
	group->parallel = sqlite3_column_int(*series, 6);
	*newest = sp_history_bind(store,
		"SELECT x.text FROM run r JOIN text x ON x.id=r.command WHERE r.series=?1 AND r.started_ns=?2", "ii",
		group->series, (int64_t)group->last_ns);
	got = *newest ? sp_history_step(store, *newest) : -EBADMSG;
	group->command = got > 0 ? sp_history_text(*newest, 0) : "";
	return got < 0 ? got : 0;
}

struct asked {
	const char *metric;
	size_t values_most;
	sp_history_group_fn *each;
	void *context;
};

static int tell_group(struct sp_history *store, sqlite3_stmt *s, struct values *values, const struct asked *asked)
{
	struct sp_history_group group;
	sqlite3_stmt *series = NULL, *newest = NULL;
	int err = 0;

	take_group(&group, s);
	if (asked->metric && asked->values_most)
		err = read_values(store, group.series, asked->metric, asked->values_most, values);
	if (!err)
		err = describe(store, &group, &series, &newest);
	group.values = values->items;
	group.value_count = values->count;
	if (!err)
		err = asked->each(&group, asked->context);
	sqlite3_reset(series);
	sqlite3_reset(newest);
	return err;
}

int sp_history_groups(struct sp_history *store, const struct sp_history_filter *filter, const char *metric,
	size_t values_most, sp_history_group_fn *each, void *context)
{
	const struct asked asked = {metric, values_most, each, context};
	struct values values = {.items = sp_alloc(values_most + 1, sizeof(double))};
	sqlite3_stmt *s;
	int err = sp_history_prepare(store,
		"r.series, count(*), sum(r.state='ok'), min(r.started_ns), max(r.started_ns)", SP_HISTORY_RUNS, 0,
		filter, " GROUP BY r.series ORDER BY max(r.started_ns) DESC LIMIT ?31 OFFSET ?32", &s);
	int got;

	if (!err) {
		sqlite3_bind_int64(s, 31, filter->limit ? (int64_t)filter->limit : -1);
		sqlite3_bind_int64(s, 32, (int64_t)filter->offset);
	}
	while (!err && (got = sp_history_step(store, s)) != 0)
		err = got < 0 ? got : tell_group(store, s, &values, &asked);
	sqlite3_finalize(s);
	free(values.items);
	return err;
}

int sp_history_metric_names(struct sp_history *store, char ***names, size_t *count)
{
	sqlite3_stmt *s = sp_history_bind(store, "SELECT name FROM metric ORDER BY name", "");
	size_t capacity = 0;
	int got = s ? 1 : -EBADMSG;

	*names = NULL;
	*count = 0;
	while (got > 0 && (got = sp_history_step(store, s)) > 0) {
		sp_grow(names, &capacity, *count + 1, sizeof(**names));
		(*names)[(*count)++] = sp_copy_text(sp_history_text(s, 0));
	}
	return got;
}
