/* ClickHouse: rows of the tables of profiles/fleet, by its HTTP interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/fleet/rows.h"
#include "tools/fleet/server.h"
#include "tools/push/engine.h"
#include "tools/tools.h"

#define ANSWER_MOST 4096u

static const char *label_or_none(const struct sp_push_labels *labels, const char *name)
{
	const char *value = sp_push_label(labels, name);

	return value ? value : "";
}

/* Labels that have no column of their own. */
static size_t other_labels(const struct sp_push_labels *labels, struct sp_fleet_label *list)
{
	size_t count = 0;

	for (size_t i = 0; i < labels->count; i++)
		if (!sp_fleet_is_column(labels->list[i].name))
			list[count++] = (struct sp_fleet_label){labels->list[i].name, labels->list[i].value};
	return count;
}

/* An INSERT is done as a whole or not at all; whether it was done is asked first, as an answer may be lost. */
static void add_insert(struct sp_push_parcel *parcel, const struct sp_push_target *target, const char *table,
	const char *unless, struct sp_buffer *body)
{
	char *sql = sp_text("INSERT INTO " SP_FLEET_PREFIX "%s FORMAT JSONEachRow", table);
	char *url = sp_clickhouse_url(target, sql);
	struct sp_push_request *request = sp_push_parcel_add(parcel, "POST", "%s", url);

	request->unless = unless ? sp_clickhouse_url(target, unless) : NULL;
	request->gzip = true;
	request->body = *body;
	*body = (struct sp_buffer){0};
	free(url);
	free(sql);
}

bool sp_push_clickhouse(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_target *target, const char **why)
{
	struct sp_fleet_label list[SP_PUSH_LABELS_MOST];
	const struct sp_push_labels *labels = item->labels;
	const struct sp_fleet_origin origin = {.service = label_or_none(labels, "service"),
		.version = label_or_none(labels, "version"),
		.host = label_or_none(labels, "host"),
		.environment = label_or_none(labels, "environment"),
		.labels = list,
		.label_count = other_labels(labels, list),
		.now_s = (uint64_t)time(NULL),
		.content = item->markdown->data,
		.length = item->markdown->length};
	struct sp_buffer there = {0};
	struct sp_fleet_rows rows;

	sp_fleet_rows_write(&rows, item->profile, &origin);
	*why = "there is nothing in it";
	if (rows.sample_count) {
		add_insert(parcel, target, "stacks", NULL, &rows.stacks);
		if (rows.spans.length) {
			sp_sql_is_there(&there, "spans", "profile", origin.service, rows.time_s, rows.id);
			add_insert(parcel, target, "spans", there.data, &rows.spans);
			sp_buffer_clear(&there);
		}
		sp_sql_is_there(&there, "profiles", "id", origin.service, rows.time_s, rows.id);
		add_insert(parcel, target, "profiles", there.data, &rows.profile);
		sp_buffer_clear(&there);
		sp_sql_is_there(&there, "samples", "profile", origin.service, rows.time_s, rows.id);
		add_insert(parcel, target, "samples", there.data, &rows.samples);
	}
	sp_buffer_free(&there);
	sp_fleet_rows_free(&rows);
	return parcel->count > 0;
}

/* --- push --init */

static bool post(struct sp_http *http, const struct sp_push_target *target, const char *sql,
	struct sp_http_answer *answer)
{
	char *url = sp_clickhouse_url(target, NULL);
	struct sp_http_request request = {
		.method = "POST", .url = url, .body = sql, .length = strlen(sql), .answer_most = ANSWER_MOST};
	bool done = sp_http_send(http, &request, answer) == SP_HTTP_DONE;

	if (!done)
		sp_complain("push: --init: %s: %s", target->text, answer->why);
	free(url);
	return done;
}

/* "18.16.1" is 1816. */
static unsigned version_of(const struct sp_http_answer *answer)
{
	unsigned major = 0, minor = 0;

	if (!answer->body.length || sscanf(answer->body.data, "%u.%u", &major, &minor) != 2 || minor > 99)
		return 0;
	return major * 100 + minor;
}

int sp_push_clickhouse_init(struct sp_http *http, const struct sp_push_target *target)
{
	struct sp_http_answer answer = {0};
	struct sp_buffer sql = {0};
	bool done = post(http, target, "SELECT version()", &answer);
	unsigned version = done ? version_of(&answer) : 0;

	for (size_t step = 0; done && sp_sql_schema(&sql, step, version); step++) {
		done = post(http, target, sql.data, &answer);
		sp_buffer_clear(&sql);
	}
	sp_buffer_free(&sql);
	sp_buffer_free(&answer.body);
	return done ? 0 : 1;
}
