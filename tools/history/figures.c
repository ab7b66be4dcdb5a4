/* smartprof history figures: what the last runs of each command came to, for people, commit messages and other tools. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/base/time.h"
#include "profiles/compare/stats.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"
#include "tools/history/values.h"
#include "tools/tools.h"

#define DAY_NS (24 * 3600 * 1000000000ull)
#define RUNS_MOST 10u

static void help(void)
{
	printf("usage: smartprof history figures [METRIC] [FLAGS]\n\n"
	       "Prints what the last runs of each command came to, at one commit: medians of at most ten, a line a "
	       "command. Unless flags "
	       "say\nwhich: of those of the last 24 hours.\n\n"
	       "  --benchmark     as JSON that github-action-benchmark takes: `tool: "
	       "customSmallerIsBetter`\n\n" SP_ASK_HELP);
}

struct figures {
	struct sp_ask *ask;
	const char *metric;
	bool benchmark;
	struct sp_buffer text;
	json_t *json;
};

enum { FLAG_BENCHMARK = SP_ASK_OWN };

static int set_own(void *context, int flag, const char *value)
{
	struct figures *f = context;

	(void)value;
	f->benchmark = flag == FLAG_BENCHMARK;
	return 0;
}

struct figure {
	double median, spread; /* spread: of single runs; NAN with one */
	size_t runs;
	char last[SP_HISTORY_ID];
};

/* Of the newest runs that have the commit of the newest; false: there are none. */
static bool compute(struct figure *figure, const struct sp_values *values)
{
	const struct sp_history_point *points = values->points.items;
	double last[RUNS_MOST], freedom, spread;
	size_t n = 0;

	while (n < values->count && n < RUNS_MOST &&
		strcmp(points[values->count - 1 - n].commit, points[values->count - 1].commit) == 0) {
		last[n] = points[values->count - 1 - n].value;
		n++;
	}
	if (!n)
		return false;
	spread = sp_stats_spread(last, n, last, 1, &freedom);
	*figure = (struct figure){sp_stats_median(last, n), n > 1 ? spread : NAN, n, ""};
	memcpy(figure->last, points[values->count - 1].id, sizeof(figure->last));
	return true;
}

/* A number in the unit that charts want: seconds, bytes. */
static double scaled(const char *metric, double value, const char **unit)
{
	size_t length = strlen(metric);
	bool ns = length > 3 && strcmp(metric + length - 3, "_ns") == 0;

	*unit = ns ? "s" : length > 6 && strcmp(metric + length - 6, "_bytes") == 0 ? "bytes" : "";
	return ns ? value / 1e9 : value;
}

static void add_benchmark(struct figures *f, const struct sp_history_group *group, const char *metric,
	const struct figure *figure)
{
	struct sp_buffer name = {0}, text = {0};
	json_t *row = json_object();
	const char *unit;

	sp_ask_put_inert_series(&name, SP_ESCAPE_PLAIN, group);
	sp_buffer_printf(&name, ": %s", metric);
	sp_json_set(row, "name", sp_json_text(name.data));
	sp_json_set(row, "value", sp_json_number(scaled(metric, figure->median, &unit)));
	sp_json_set(row, "unit", sp_json_text(unit));
	if (isfinite(figure->spread)) {
		sp_buffer_printf(&text, "± %.3g", scaled(metric, figure->spread, &unit));
		sp_json_set(row, "range", sp_json_text(text.data));
		sp_buffer_clear(&text);
	}
	sp_buffer_printf(&text, "%zu runs on machine %.8s, the last %.*s", figure->runs, group->machine,
		SP_HISTORY_SHORT, figure->last);
	sp_json_set(row, "extra", sp_json_text(text.data));
	json_array_append_new(f->json, row);
	sp_buffer_free(&name);
	sp_buffer_free(&text);
}

static void put_figure(struct figures *f, const struct sp_history_group *group, const char *metric,
	const struct figure *figure, bool first)
{
	if (first)
		sp_ask_put_inert_series(&f->text, SP_ESCAPE_PLAIN, group);
	sp_buffer_puts(&f->text, first ? ": " : ", ");
	sp_buffer_printf(&f->text, "%s ", metric);
	sp_history_put_value(&f->text, metric, figure->median);
	if (isfinite(figure->spread)) {
		sp_buffer_puts(&f->text, " ± ");
		sp_history_put_value(&f->text, metric, figure->spread);
	}
}

static int add_metric(struct figures *f, const struct sp_history_group *group, const char *metric,
	struct figure *figure, size_t *found)
{
	struct sp_values values;
	int error = sp_values_load(f->ask, group->series, metric, &values);

	if (!error && compute(figure, &values)) {
		if (f->benchmark)
			add_benchmark(f, group, metric, figure);
		else
			put_figure(f, group, metric, figure, !*found);
		++*found;
	}
	sp_values_free(&values);
	return error;
}

static int add_series(const struct sp_history_group *group, void *context)
{
	struct figures *f = context;
	const char *const one[] = {f->metric, NULL}, *const *metrics = f->metric ? one : sp_values_metrics;
	struct figure figure;
	size_t found = 0;
	int error = 0;

	for (size_t i = 0; metrics[i] && !error && !group->parallel; i++)
		error = add_metric(f, group, metrics[i], &figure, &found);
	if (found && !f->benchmark)
		sp_buffer_printf(&f->text, " (%zu run%s, the last %.*s)\n", figure.runs, figure.runs == 1 ? "" : "s",
			SP_HISTORY_SHORT, figure.last);
	return error;
}

int sp_history_cmd_figures(int argc, char **argv)
{
	struct sp_ask ask;
	struct figures f = {.ask = &ask};
	const struct sp_ask_own own = {
		(const struct option[]){{"benchmark", no_argument, NULL, FLAG_BENCHMARK}, {NULL, 0, NULL, 0}}, set_own,
		NULL, &f};
	int status = sp_ask_begin_with(&ask, &own, "history figures", argc, argv, 1, help);

	if (status < 0) {
		f.json = json_array();
		f.metric = ask.word_count ? ask.words[0] : NULL;
		if (!ask.filter.since_ns && !ask.filter.commit && !ask.run)
			ask.filter.since_ns = sp_time_ns(CLOCK_REALTIME) - DAY_NS;
		if (f.metric && !sp_values_is_metric(&ask, f.metric))
			status = SP_EXIT_USAGE;
		else if (sp_history_groups(ask.store, &ask.filter, NULL, 0, add_series, &f))
			status = sp_ask_failed(&ask);
		else
			status = f.benchmark ? sp_ask_print_json(&ask, json_incref(f.json))
					     : sp_ask_print(&ask, &f.text);
		json_decref(f.json);
	}
	sp_buffer_free(&f.text);
	sp_ask_end(&ask);
	return status;
}
