/* A filter as SQL: conditions with parameters, never with the values themselves. */
#include "profiles/history/filter.h"

#include <stdio.h>
#include <string.h>

/* The values of the texts, in the order of `conditions`. */
#define TEXTS 13
static void list_texts(const struct sp_history_filter *f, const char *values[static TEXTS])
{
	const char *all[TEXTS] = {f->program, f->args_class, f->command, f->environment, f->branch, f->commit,
		f->build_id, f->machine, f->kind, f->state, f->tag, f->metric, f->id};

	memcpy(values, all, sizeof(all));
}

static const char has_metric[] = "EXISTS(SELECT 1 FROM total t WHERE t.series=r.series AND"
				 " t.metric=(SELECT id FROM metric WHERE name=?12) AND t.run=r.number)";

/* A beginning is a range, for which there is an index. */
static const struct condition {
	const char *sql;
	unsigned joins;
} conditions[TEXTS] = {
	{"s.program GLOB ?1", SP_HISTORY_JOIN_SERIES},
	{"s.args_class GLOB ?2", SP_HISTORY_JOIN_SERIES},
	{"tx.text GLOB ?3", SP_HISTORY_JOIN_COMMAND},
	{"s.environment GLOB ?4", SP_HISTORY_JOIN_SERIES},
	{"tb.text GLOB ?5", SP_HISTORY_JOIN_BRANCH},
	{"tc.text>=?6 AND tc.text<?6||'g'", SP_HISTORY_JOIN_COMMIT},
	{"ti.text>=?7 AND ti.text<?7||'g'", SP_HISTORY_JOIN_BUILD_ID},
	{"m.class>=?8 AND m.class<?8||'g'", SP_HISTORY_JOIN_SERIES | SP_HISTORY_JOIN_MACHINE},
	{"s.kind=?9", SP_HISTORY_JOIN_SERIES},
	{"r.state=?10", 0},
	{"EXISTS(SELECT 1 FROM tag WHERE tag.run=r.number AND tag.tag=?11)", 0},
	{has_metric, 0},
	{"r.id>=?13 AND r.id<=?14", 0},
};

static const char *const joins_sql[SP_HISTORY_JOINS] = {
	" JOIN series s ON s.id=r.series",
	" JOIN machine m ON m.id=s.machine",
	" JOIN text tc ON tc.id=r.commit_id",
	" JOIN text tb ON tb.id=r.branch",
	" JOIN text ti ON ti.id=r.build_id",
	" JOIN text td ON td.id=r.directory",
	" JOIN text tx ON tx.id=r.command",
};

#define ID 13
#define SERIES 20
#define SINCE 21
#define UNTIL 22

/* Each behind the one before. */
static void put_condition(struct sp_buffer *sql, const char *condition)
{
	sp_buffer_printf(sql, " AND %s", condition);
}

/* A statement that begins with the series is told which, or it goes through all of them. */
static void put_where(struct sp_buffer *sql, const struct sp_history_filter *f, const char *const *values,
	unsigned joins)
{
	sp_buffer_puts(sql, " WHERE 1");
	for (int i = 0; i < TEXTS; i++)
		if (values[i] && *values[i])
			put_condition(sql, conditions[i].sql);
	if (f->series)
		put_condition(sql, joins & SP_HISTORY_HAS_SERIES ? "s.id=?20" : "r.series=?20");
	if (f->since_ns)
		put_condition(sql, "r.started_ns>=?21");
	if (f->until_ns)
		put_condition(sql, "r.started_ns<?22");
	if (f->good)
		put_condition(sql, "r.state='ok' AND s.parallel=0");
	if (f->profile)
		put_condition(sql, "r.profile IS NOT NULL");
	if (f->pinned)
		put_condition(sql, "EXISTS(SELECT 1 FROM pin WHERE pin.run=r.number)");
}

/* Ids are bytes: those that begin so lie between the beginning followed by zeros, and by ones. */
static int bind_id(sqlite3_stmt *s, const char *start)
{
	char hex[SP_HISTORY_ID];
	uint8_t bytes[(SP_HISTORY_ID - 1) / 2];
	int rc = SQLITE_OK;

	for (int last = 0; last < 2 && rc == SQLITE_OK; last++) {
		memset(hex, last ? 'f' : '0', sizeof(hex) - 1);
		hex[sizeof(hex) - 1] = '\0';
		memcpy(hex, start, strnlen(start, sizeof(hex) - 1));
		if (!sp_history_unhex(hex, bytes, sizeof(bytes)))
			memset(bytes, last ? 0 : 0xff, sizeof(bytes)); /* nothing is between these */
		rc = sqlite3_bind_blob(s, ID + last, bytes, sizeof(bytes), SQLITE_TRANSIENT);
	}
	return rc;
}

static int bind_all(sqlite3_stmt *s, const struct sp_history_filter *f, const char *const *values)
{
	int rc = SQLITE_OK, parameters = sqlite3_bind_parameter_count(s);

	for (int i = 0; i < TEXTS && rc == SQLITE_OK; i++)
		if (values[i] && *values[i] && i + 1 == ID)
			rc = bind_id(s, values[i]);
		else if (values[i] && *values[i])
			rc = sqlite3_bind_text(s, i + 1, values[i], -1, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK && parameters >= SERIES)
		rc = sqlite3_bind_int64(s, SERIES, f->series);
	if (rc == SQLITE_OK && parameters >= SINCE)
		rc = sqlite3_bind_int64(s, SINCE, (int64_t)f->since_ns);
	if (rc == SQLITE_OK && parameters >= UNTIL)
		rc = sqlite3_bind_int64(s, UNTIL, (int64_t)f->until_ns);
	return rc;
}

static unsigned needed_joins(const struct sp_history_filter *filter, const char *const *values, unsigned joins)
{
	for (int i = 0; i < TEXTS; i++)
		if (values[i] && *values[i])
			joins |= conditions[i].joins;
	joins |= filter->good ? SP_HISTORY_JOIN_SERIES : 0;
	return joins & SP_HISTORY_HAS_SERIES ? joins & ~(unsigned)(SP_HISTORY_JOIN_SERIES | SP_HISTORY_JOIN_MACHINE)
					     : joins;
}

int sp_history_prepare(struct sp_history *store, const char *columns, const char *from, unsigned joins,
	const struct sp_history_filter *filter, const char *end, sqlite3_stmt **statement)
{
	const char *values[TEXTS];
	struct sp_buffer sql = {0};
	int err;

	*statement = NULL;
	list_texts(filter, values);
	joins = needed_joins(filter, values, joins);
	sp_buffer_printf(&sql, "SELECT %s FROM %s", columns, from);
	for (int i = 0; i < SP_HISTORY_JOINS; i++)
		if (joins & 1u << i)
			sp_buffer_puts(&sql, joins_sql[i]);
	put_where(&sql, filter, values, joins);
	sp_buffer_puts(&sql, end);
	err = sp_history_check(store, sqlite3_prepare_v2(store->db, sql.data, -1, statement, NULL));
	if (!err)
		err = sp_history_check(store, bind_all(*statement, filter, values));
	sp_buffer_free(&sql);
	return err;
}
