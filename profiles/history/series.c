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

static const char *text_of(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? text : "";
}

/* --- points */

/* Equal texts are one. */
static const char *intern(struct sp_names *names, const char *text)
{
	return sp_names_text(names, sp_names_id(names, text));
}

static void add_point(struct sp_history_points *points, sqlite3_stmt *s)
{
	struct sp_names *names = points->texts;
	struct sp_history_point *p;

	sp_grow(&points->items, &points->capacity, points->count + 1, sizeof(*points->items));
	p = &points->items[points->count++];
	*p = (struct sp_history_point){.started_ns = (uint64_t)sqlite3_column_int64(s, 1),
		.value = sqlite3_column_double(s, 2),
		.error = double_of(s, 3),
		.series = sqlite3_column_int64(s, 4),
		.commit = intern(names, text_of(s, 5)),
		.branch = intern(names, text_of(s, 6)),
		.machine = intern(names, text_of(s, 7)),
		.build_id = intern(names, text_of(s, 8)),
		.state = intern(names, text_of(s, 9)),
		.good = sqlite3_column_int(s, 10)};
	if (sqlite3_column_bytes(s, 0) == (SP_HISTORY_ID - 1) / 2)
		sp_history_hex(sqlite3_column_blob(s, 0), (SP_HISTORY_ID - 1) / 2, p->id);
}

int sp_history_series(struct sp_history *store, const struct sp_history_filter *filter, const char *metric,
	struct sp_history_points *points)
{
	static const char select[] =
		"SELECT r.id, r.started_ns, t.value, t.error, r.series, tc.text, tb.text, m.class, ti.text, r.state,"
		" r.state='ok' AND r.jobs<=1" SP_HISTORY_FROM
		" JOIN total t ON t.series=r.series AND t.run=r.number AND"
		" t.metric=(SELECT id FROM metric WHERE name=?31)";
	sqlite3_stmt *s;
	int err, got = 1;

	*points = (struct sp_history_points){.texts = sp_alloc(1, sizeof(struct sp_names))};
	err = sp_history_prepare(store, select, filter,
		filter->oldest_first ? " ORDER BY r.started_ns, r.number LIMIT ?32 OFFSET ?33"
				     : " ORDER BY r.started_ns DESC, r.number DESC LIMIT ?32 OFFSET ?33",
		&s);
	if (!err) {
		sqlite3_bind_text(s, 31, metric, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 32, filter->limit ? (int64_t)filter->limit : -1);
		sqlite3_bind_int64(s, 33, (int64_t)filter->offset);
		while ((got = sp_history_step(store, s)) > 0)
			add_point(points, s);
		err = got;
	}
	sqlite3_finalize(s);
	return err;
}

void sp_history_points_free(struct sp_history_points *points)
{
	if (points->texts)
		sp_names_free(points->texts);
	free(points->texts);
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
		.last_ns = (uint64_t)sqlite3_column_int64(s, 4),
		.program = text_of(s, 5),
		.args_class = text_of(s, 6),
		.environment = text_of(s, 7),
		.kind = text_of(s, 8),
		.machine = text_of(s, 9),
		.profiled = sqlite3_column_int(s, 10),
		.parallel = sqlite3_column_int(s, 11),
		.command = text_of(s, 12)};
}

int sp_history_groups(struct sp_history *store, const struct sp_history_filter *filter, const char *metric,
	size_t values_most, sp_history_group_fn *each, void *context)
{
	static const char select[] = "SELECT r.series, count(*), sum(r.state='ok'), min(r.started_ns), "
				     "max(r.started_ns), s.program, s.args_class,"
				     " s.environment, s.kind, m.class, s.profiled, s.parallel, tx.text" SP_HISTORY_FROM;
	struct values values = {.items = sp_alloc(values_most + 1, sizeof(double))};
	struct sp_history_group group;
	sqlite3_stmt *s;
	int err = sp_history_prepare(store, select, filter,
		" GROUP BY r.series ORDER BY max(r.started_ns) DESC LIMIT ?31 OFFSET ?32", &s);
	int got;

	if (!err) {
		sqlite3_bind_int64(s, 31, filter->limit ? (int64_t)filter->limit : -1);
		sqlite3_bind_int64(s, 32, (int64_t)filter->offset);
	}
	while (!err && (got = sp_history_step(store, s)) != 0) {
		if (got > 0)
			take_group(&group, s);
		err = got < 0 ? got : 0;
		if (!err && metric && values_most)
			err = read_values(store, group.series, metric, values_most, &values);
		group.values = values.items;
		group.value_count = values.count;
		if (!err)
			err = each(&group, context);
	}
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
		(*names)[(*count)++] = sp_copy_text(text_of(s, 0));
	}
	return got;
}
