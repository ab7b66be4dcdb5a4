/* smartprof history list: a row for each series of runs; smartprof list: a row for each run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/compare/stats.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"
#include "tools/tools.h"

#define CELLS 24u
#define VALUES 240u
#define RUNS_SHOWN 50u
#define SERIES_SHOWN 100u

static void help_list(void)
{
	printf("usage: smartprof history [list] [FLAGS]\n\n"
	       "Shows what ran, a row for each command: when last, how often, how many went well, the time of the "
	       "newest "
	       "runs\nas a line (oldest left), the median of them, and their peak memory. Runs on another class of "
	       "machines, "
	       "in another\nenvironment, with the agent, or several at a time are rows of their own.\n\n" SP_ASK_HELP);
}

static const struct sp_column series_columns[] = {{"last", "last_ns", false}, {NULL, "first_ns", false},
	{"runs", "runs", true}, {"ok", "good", true}, {"time", "wall_ns", true}, {"", NULL, false},
	{NULL, "wall_ns_values", false}, {"peak", "peak_rss_bytes", true}, {"machine", "machine", false},
	{"kind", "kind", false}, {NULL, "environment", false}, {NULL, "program", false},
	{NULL, "arguments_class", false}, {NULL, "series", false}, {"command", "command", false}};

struct listing {
	struct sp_ask *ask;
	struct sp_table table;
};

static json_t *numbers(const double *values, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, sp_json_number(values[i]));
	return list;
}

static double peak_of(struct sp_ask *ask, int64_t series)
{
	const struct sp_history_filter filter = {.series = series, .good = true, .limit = VALUES};
	struct sp_history_points points;
	double *values, median = NAN;

	if (!sp_history_series(ask->store, &filter, "peak_rss_bytes", &points) && points.count) {
		values = sp_alloc(points.count, sizeof(*values));
		for (size_t i = 0; i < points.count; i++)
			values[i] = points.items[i].value;
		median = sp_stats_median(values, points.count);
		free(values);
	}
	sp_history_points_free(&points);
	return median;
}

static int add_series(const struct sp_history_group *group, void *context)
{
	struct listing *l = context;
	struct sp_buffer text = {0};

	sp_ask_add_time(&l->table, group->last_ns);
	sp_ask_add_time(&l->table, group->first_ns);
	sp_buffer_printf(&text, "%llu", (unsigned long long)group->runs);
	sp_table_add(&l->table, text.data, sp_json_count(group->runs));
	sp_buffer_clear(&text);
	sp_buffer_printf(&text, "%.0f %%", 100.0 * (double)group->good / (double)group->runs);
	sp_table_add(&l->table, text.data, sp_json_count(group->good));
	sp_ask_add_value(&l->table, "wall_ns",
		group->value_count ? sp_stats_median(group->values, group->value_count) : NAN);
	sp_buffer_clear(&text);
	sp_history_put_spark(&text, group->values, group->value_count, CELLS);
	sp_table_add(&l->table, text.data, NULL);
	sp_table_add(&l->table, "", numbers(group->values, group->value_count));
	sp_ask_add_value(&l->table, "peak_rss_bytes", peak_of(l->ask, group->series));
	sp_buffer_clear(&text);
	sp_buffer_printf(&text, "%.8s", group->machine);
	sp_table_add(&l->table, text.data, sp_json_text(group->machine));
	sp_table_add_text(&l->table, group->kind);
	sp_table_add_text(&l->table, group->environment);
	sp_table_add_text(&l->table, group->program);
	sp_table_add_text(&l->table, group->args_class);
	sp_table_add(&l->table, "", json_integer(group->series));
	sp_buffer_clear(&text);
	sp_ask_put_series(&text, group);
	sp_table_add(&l->table, text.data, sp_json_text(group->command));
	sp_buffer_free(&text);
	return 0;
}

int sp_history_cmd_list(int argc, char **argv)
{
	struct sp_ask ask;
	struct listing l = {.ask = &ask,
		.table = {.columns = series_columns, .width = sizeof(series_columns) / sizeof(series_columns[0])}};
	int status = sp_ask_begin(&ask, "history", argc, argv, 0, help_list);

	if (status < 0) {
		if (!ask.filter.limit)
			ask.filter.limit = SERIES_SHOWN;
		status = sp_history_groups(ask.store, &ask.filter, "wall_ns", VALUES, add_series, &l)
			? sp_ask_failed(&ask)
			: sp_ask_print_table(&ask, &l.table,
				  "No such runs. Measure a command by `smartprof monitor -- COMMAND`.");
	}
	sp_table_free(&l.table);
	sp_ask_end(&ask);
	return status;
}

/* --- a row for each run */

static void help_runs(void)
{
	printf("usage: smartprof list [FLAGS]\n\n"
	       "Shows the newest runs of the history, a row for each (--limit 50): its id, which `smartprof history "
	       "show` and\n"
	       "`smartprof report --run` take, when it began, how it ended and what it took.\n\n" SP_ASK_HELP);
}

static const struct sp_column run_columns[] = {{"run", "id", false}, {"begun", "started_ns", false},
	{"state", "state", false}, {NULL, "exit_code", false}, {NULL, "signal", false}, {"time", "wall_ns", true},
	{"user", "user_ns", true}, {"sys", "sys_ns", true}, {"peak", "peak_rss_bytes", true}, {"kind", "kind", false},
	{NULL, "jobs", false}, {NULL, "profiled", false}, {NULL, "branch", false}, {NULL, "commit", false},
	{NULL, "machine", false}, {NULL, "program", false}, {NULL, "series", false}, {"command", "command", false}};

static void add_state(struct sp_table *table, const struct sp_history_run *run)
{
	struct sp_buffer text = {0};

	if (strcmp(run->state, "failed") == 0)
		sp_buffer_printf(&text, "exit %d", run->exit_status);
	else if (strcmp(run->state, "signal") == 0)
		sp_buffer_printf(&text, "signal %d", run->signal);
	else
		sp_buffer_puts(&text, run->state);
	sp_table_add(table, text.data, sp_json_text(run->state));
	sp_table_add(table, "", run->exit_status >= 0 ? json_integer(run->exit_status) : json_null());
	sp_table_add(table, "", run->signal ? json_integer(run->signal) : json_null());
	sp_buffer_free(&text);
}

static int add_run(const struct sp_history_run *run, void *context)
{
	static const char *const metrics[] = {"wall_ns", "user_ns", "sys_ns", "peak_rss_bytes"};
	struct listing *l = context;
	struct sp_table *t = &l->table;

	sp_ask_add_id(t, run->id);
	sp_ask_add_time(t, run->started_ns);
	add_state(t, run);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		sp_ask_add_value(t, metrics[i], sp_history_value(run, metrics[i], NULL));
	sp_table_add_text(t, run->kind);
	sp_table_add(t, "", json_integer(run->jobs));
	sp_table_add(t, "", json_boolean(run->profiled));
	sp_table_add_text(t, run->branch);
	sp_table_add_text(t, run->commit);
	sp_table_add_text(t, run->machine.class);
	sp_table_add_text(t, run->program);
	sp_table_add(t, "", json_integer(run->series));
	sp_table_add_text(t, run->command);
	return 0;
}

int sp_cmd_list(int argc, char **argv)
{
	struct sp_ask ask;
	struct listing l = {
		.ask = &ask, .table = {.columns = run_columns, .width = sizeof(run_columns) / sizeof(run_columns[0])}};
	int status = sp_ask_begin(&ask, "list", argc, argv, 0, help_runs);

	if (status < 0) {
		if (!ask.filter.limit)
			ask.filter.limit = RUNS_SHOWN;
		status = sp_history_each(ask.store, &ask.filter, SP_HISTORY_METRICS, add_run, &l)
			? sp_ask_failed(&ask)
			: sp_ask_print_table(&ask, &l.table,
				  "No such runs. Measure a command by `smartprof monitor -- COMMAND`.");
	}
	sp_table_free(&l.table);
	sp_ask_end(&ask);
	return status;
}
