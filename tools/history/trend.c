/* smartprof history trend: how a metric went, run by run. */
#include <stdio.h>
#include <stdlib.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/compare/stats.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"
#include "tools/history/told_change.h"
#include "tools/tools.h"

#define COLUMNS 64u
#define ROWS 10u
#define SERIES_SHOWN 5u

static void help(void)
{
	printf("usage: smartprof history trend [METRIC] [FLAGS]\n\n"
	       "Draws how a metric (wall_ns) went over the runs that went well, for each series of runs that can be "
	       "compared: one\n"
	       "command, on one class of machines. The changes that are sure, or suspected, are marked and told (▲). "
	       "--limit N: of so\n"
	       "many series (5).\n\n" SP_ASK_HELP);
}

struct trend {
	struct sp_ask *ask;
	const char *metric;
	struct sp_buffer text;
	json_t *json;
	size_t shown;
	uint64_t failed; /* runs of series that none went well of */
};

/* What is behind the drawing of one series. */
struct line {
	struct sp_values runs;
	struct sp_changes changes;
	double *values;
	bool *marks;
};

static int load(struct trend *t, int64_t series, struct line *line)
{
	int error = sp_values_changes(t->ask, series, t->metric, &line->runs, &line->changes);

	line->values = sp_alloc(line->runs.count + 1, sizeof(*line->values));
	line->marks = sp_alloc(line->runs.count + 1, sizeof(*line->marks));
	for (size_t i = 0; i < line->runs.count; i++)
		line->values[i] = line->runs.values[i].value;
	for (size_t i = 0; i < line->changes.count; i++)
		line->marks[line->changes.items[i].after] = true;
	return error;
}

static void free_line(struct line *line)
{
	sp_changes_free(&line->changes);
	sp_values_free(&line->runs);
	free(line->values);
	free(line->marks);
}

/* --- in words */

static void put_change(struct trend *t, const struct line *line, const struct sp_change *change)
{
	const struct sp_history_point *p = &line->runs.points.items[change->after];
	struct sp_buffer *out = &t->text;

	sp_buffer_puts(out, "  ▲ ");
	sp_ask_put_time(out, p->started_ns);
	sp_buffer_printf(out, "  run %.*s", SP_HISTORY_SHORT, p->id);
	if (*p->commit)
		sp_buffer_printf(out, "  commit %.12s", p->commit);
	sp_buffer_puts(out, change->state == SP_CHANGE_CONFIRMED ? ": " : ": suspected, ");
	sp_told_put_size(out, t->metric, change);
	if (change->gradual)
		sp_buffer_puts(out, ", little by little");
	else if (change->places > 1)
		sp_buffer_printf(out, ", at one of %zu runs", change->places);
	sp_buffer_puts(out, "\n");
}

static void put_line(struct trend *t, const struct line *line, const struct sp_history_group *group)
{
	const struct sp_history_plot plot = {.metric = t->metric,
		.values = line->values,
		.marks = line->marks,
		.count = line->runs.points.count,
		.columns = COLUMNS,
		.rows = ROWS};
	bool markdown = t->ask->format == SP_ASK_MARKDOWN;

	sp_buffer_puts(&t->text, markdown ? "## " : "");
	sp_ask_put_inert_series(&t->text, markdown ? SP_ESCAPE_CELL : SP_ESCAPE_PLAIN, group);
	sp_buffer_printf(&t->text, "%s machine %.8s, %s: %s of %zu runs", markdown ? "\n\nOn" : "; on", group->machine,
		group->kind, t->metric, line->runs.points.count);
	if (group->runs > group->good)
		sp_buffer_printf(&t->text, " (%llu more did not go well)",
			(unsigned long long)(group->runs - group->good));
	sp_buffer_puts(&t->text, ", median ");
	sp_history_put_value(&t->text, t->metric, sp_stats_median(line->values, line->runs.points.count));
	sp_buffer_puts(&t->text, markdown ? "\n\n```text\n" : "\n");
	sp_history_put_plot(&t->text, &plot);
	sp_buffer_puts(&t->text, "            ");
	sp_ask_put_time(&t->text, line->runs.points.items[0].started_ns);
	sp_buffer_puts(&t->text, " to ");
	sp_ask_put_time(&t->text, line->runs.points.items[line->runs.points.count - 1].started_ns);
	sp_buffer_puts(&t->text, "\n");
	for (size_t i = 0; i < line->changes.count; i++)
		put_change(t, line, &line->changes.items[i]);
	sp_buffer_puts(&t->text, markdown ? "```\n\n" : "\n");
}

/* --- as JSON */

static json_t *points_json(const struct line *line)
{
	json_t *list = json_array();

	for (size_t i = 0; i < line->runs.points.count; i++) {
		const struct sp_history_point *p = &line->runs.points.items[i];
		json_t *row = json_object();

		sp_json_set(row, "id", sp_json_text(p->id));
		sp_json_set(row, "started_ns", sp_ask_time_json(p->started_ns));
		sp_json_set(row, "value", sp_json_number(p->value));
		sp_json_set(row, "error", sp_json_number(p->error));
		sp_json_set(row, "commit", sp_json_text(p->commit));
		sp_json_set(row, "branch", sp_json_text(p->branch));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *changes_json(const struct line *line)
{
	json_t *list = json_array();

	for (size_t i = 0; i < line->changes.count; i++) {
		const struct sp_change *change = &line->changes.items[i];
		json_t *row = sp_told_values_json(&line->runs, change);

		sp_json_set(row, "id", sp_json_text(line->runs.points.items[change->after].id));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *line_json(const struct trend *t, const struct line *line, const struct sp_history_group *group)
{
	json_t *row = json_object();

	sp_json_set(row, "series", json_integer(group->series));
	sp_json_set(row, "program", sp_json_text(group->program));
	sp_json_set(row, "arguments_class", sp_json_text(group->args_class));
	sp_json_set(row, "environment", sp_json_text(group->environment));
	sp_json_set(row, "machine", sp_json_text(group->machine));
	sp_json_set(row, "kind", sp_json_text(group->kind));
	sp_json_set(row, "profiled", json_boolean(group->profiled));
	sp_json_set(row, "metric", sp_json_text(t->metric));
	sp_json_set(row, "median", sp_json_number(sp_stats_median(line->values, line->runs.points.count)));
	sp_json_set(row, "points", points_json(line));
	sp_json_set(row, "changes", changes_json(line));
	return row;
}

static int add_series(const struct sp_history_group *group, void *context)
{
	struct trend *t = context;
	struct line line = {0};
	int error = group->parallel ? 0 : load(t, group->series, &line);

	if (!error && line.runs.points.count) {
		t->shown++;
		if (t->ask->format == SP_ASK_JSON)
			json_array_append_new(t->json, line_json(t, &line, group));
		else
			put_line(t, &line, group);
	}
	if (!group->good)
		t->failed += group->runs;
	free_line(&line);
	return error;
}

/* --- what is asked for */

static int print(struct trend *t)
{
	if (t->ask->format == SP_ASK_JSON)
		return sp_ask_print_json(t->ask, json_incref(t->json));
	if (!t->shown)
		sp_buffer_printf(&t->text, "No such runs with %s%s.\n", t->metric, t->failed ? " went well" : "");
	if (t->failed && t->ask->format == SP_ASK_TEXT)
		sp_buffer_printf(&t->text,
			"Commands of which no run went well are not shown: %llu runs; smartprof list tells how "
			"they ended.\n",
			(unsigned long long)t->failed);
	return sp_ask_print(t->ask, &t->text);
}

int sp_history_cmd_trend(int argc, char **argv)
{
	struct sp_ask ask;
	struct trend t = {.ask = &ask, .metric = "wall_ns"};
	int status = sp_ask_begin(&ask, "history trend", argc, argv, 1, help);

	if (status < 0) {
		t.json = json_array();
		t.metric = ask.word_count ? ask.words[0] : t.metric;
		status = sp_values_is_metric(&ask, t.metric) ? 0 : SP_EXIT_USAGE;
		if (!ask.filter.limit)
			ask.filter.limit = SERIES_SHOWN;
		if (!status)
			status = sp_history_groups(ask.store, &ask.filter, NULL, 0, add_series, &t)
				? sp_ask_failed(&ask)
				: print(&t);
		json_decref(t.json);
	}
	sp_buffer_free(&t.text);
	sp_ask_end(&ask);
	return status;
}
