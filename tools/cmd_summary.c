/* smartprof summary: what ran, how often it went well, what took most, what changed most. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/compare/stats.h"
#include "profiles/history/changes.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/tools.h"

#define TOP 5u
#define VALUES 200u
#define LATELY 5u    /* runs that are now */
#define BEFORE 8u    /* runs that were before, at the least */
#define CHANGED 0.05 /* a smaller change is none */

static void help(void)
{
	printf("usage: smartprof summary [FLAGS]\n\n"
	       "Tells what ran according to the history: how many runs of how many commands, how many went well, which "
	       "take longest,\n"
	       "which need the most memory, which have changed most (the last 5 runs beside those before, where that "
	       "is more than\n"
	       "they vary by), and which fail. --since 1d: of the last day. --limit N: rows of each list "
	       "(5).\n\n" SP_ASK_HELP);
}

enum list { SLOWEST, HUNGRIEST, CHANGED_MOST, FAILING, LISTS };

/* A series, as one list ranks it. */
struct ranked {
	char *name;
	json_t *json; /* of the series */
	double rank, value, before;
	uint64_t runs, good;
};

struct ranking {
	struct ranked *items;
	size_t count, capacity;
};

struct summary {
	struct sp_ask *ask;
	struct ranking lists[LISTS];
	uint64_t runs, good, series;
	uint64_t first_ns, last_ns;
};

static json_t *series_json(const struct sp_history_group *group)
{
	json_t *row = json_object();

	sp_json_set(row, "series", json_integer(group->series));
	sp_json_set(row, "program", sp_json_text(group->program));
	sp_json_set(row, "command", sp_json_text(group->command));
	sp_json_set(row, "machine", sp_json_text(group->machine));
	sp_json_set(row, "runs", sp_json_count(group->runs));
	sp_json_set(row, "good", sp_json_count(group->good));
	return row;
}

static void rank(struct summary *s, enum list list, const struct sp_history_group *group, double by, double value,
	double before)
{
	struct ranking *r = &s->lists[list];
	struct sp_buffer name = {0};

	sp_ask_put_series(&name, group);
	sp_grow(&r->items, &r->capacity, r->count + 1, sizeof(*r->items));
	r->items[r->count++] = (struct ranked){.name = name.data,
		.json = series_json(group),
		.rank = by,
		.value = value,
		.before = before,
		.runs = group->runs,
		.good = group->good};
}

/* By how much the last runs differ from those before, where noise does not reach: a logarithm, 0: they do not. */
static double change_of(const double *values, size_t count, double *now, double *before)
{
	size_t n = count - LATELY;
	struct sp_series_limit limit;
	double change;

	if (count < LATELY + BEFORE)
		return 0;
	*before = sp_stats_median(values, n);
	*now = sp_stats_median(values + n, LATELY);
	limit = sp_series_limit_of(values, n, CHANGED);
	if (*before <= 0 || *now <= 0 || !isfinite(limit.learned))
		return 0;
	change = log(*now / *before);
	return fabs(change) > log(limit.limit / limit.expected) ? change : 0;
}

static int add_times(const struct sp_history_group *group, void *context)
{
	struct summary *s = context;
	double now, before, change;

	s->series++;
	s->runs += group->runs;
	s->good += group->good;
	s->first_ns = !s->first_ns || group->first_ns < s->first_ns ? group->first_ns : s->first_ns;
	s->last_ns = group->last_ns > s->last_ns ? group->last_ns : s->last_ns;
	if (group->good < group->runs)
		rank(s, FAILING, group, (double)(group->runs - group->good), 0, 0);
	if (!group->value_count || group->parallel)
		return 0;
	now = sp_stats_median(group->values, group->value_count);
	rank(s, SLOWEST, group, now, now, 0);
	change = change_of(group->values, group->value_count, &now, &before);
	if (change != 0)
		rank(s, CHANGED_MOST, group, fabs(change), now, before);
	return 0;
}

static int add_peaks(const struct sp_history_group *group, void *context)
{
	struct summary *s = context;
	double most = group->value_count ? sp_stats_median(group->values, group->value_count) : 0;

	if (most > 0)
		rank(s, HUNGRIEST, group, most, most, 0);
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->rank < y->rank) - (x->rank > y->rank);
}

static int gather(struct summary *s)
{
	int error = sp_history_groups(s->ask->store, &s->ask->filter, "wall_ns", VALUES, add_times, s);

	if (!error)
		error = sp_history_groups(s->ask->store, &s->ask->filter, "peak_rss_bytes", VALUES, add_peaks, s);
	for (unsigned i = 0; i < LISTS; i++)
		if (s->lists[i].count)
			qsort(s->lists[i].items, s->lists[i].count, sizeof(*s->lists[i].items), by_rank);
	return error;
}

/* --- in words */

static const struct sp_column columns[LISTS][4] = {
	{{"time", NULL, true}, {"runs", NULL, true}, {"command", NULL, false}},
	{{"peak", NULL, true}, {"runs", NULL, true}, {"command", NULL, false}},
	{{"before", NULL, true}, {"now", NULL, true}, {"change", NULL, true}, {"command", NULL, false}},
	{{"failed", NULL, true}, {"runs", NULL, true}, {"command", NULL, false}}};

static void add_row(struct sp_table *table, enum list list, const struct ranked *r)
{
	char text[48];

	if (list == CHANGED_MOST) {
		sp_ask_add_value(table, "wall_ns", r->before);
		sp_ask_add_value(table, "wall_ns", r->value);
		snprintf(text, sizeof(text), "%+.0f %%", 100 * (r->value / r->before - 1));
		sp_table_add(table, text, NULL);
	} else {
		if (list == FAILING) {
			snprintf(text, sizeof(text), "%llu", (unsigned long long)(r->runs - r->good));
			sp_table_add(table, text, NULL);
		} else {
			sp_ask_add_value(table, list == SLOWEST ? "wall_ns" : "peak_rss_bytes", r->value);
		}
		snprintf(text, sizeof(text), "%llu", (unsigned long long)r->runs);
		sp_table_add(table, text, NULL);
	}
	sp_table_add(table, r->name, NULL);
}

static void put_list(struct sp_buffer *out, const struct summary *s, enum list list, size_t most)
{
	static const char *const titles[LISTS] = {
		"Slowest", "Hungriest", "Most changed (the last 5 runs beside those before)", "Failing"};
	const struct ranking *r = &s->lists[list];
	struct sp_table table = {.columns = columns[list], .width = list == CHANGED_MOST ? 4 : 3};
	bool markdown = s->ask->format == SP_ASK_MARKDOWN;

	if (!r->count)
		return;
	for (size_t i = 0; i < r->count && i < most; i++)
		add_row(&table, list, &r->items[i]);
	sp_buffer_printf(out, markdown ? "\n## %s\n\n" : "\n%s\n", titles[list]);
	if (markdown)
		sp_table_put_markdown(out, &table);
	else
		sp_table_put_text(out, &table, "  ");
	if (r->count > most)
		sp_buffer_printf(out, markdown ? "\n… %zu more\n" : "  … %zu more\n", r->count - most);
	sp_table_free(&table);
}

static void put_text(struct sp_buffer *out, const struct summary *s, size_t most)
{
	if (!s->runs) {
		sp_buffer_puts(out, "No such runs. Measure a command by `smartprof monitor -- COMMAND`.\n");
		return;
	}
	sp_buffer_printf(out, "%llu runs of %llu series, ", (unsigned long long)s->runs, (unsigned long long)s->series);
	sp_ask_put_time(out, s->first_ns);
	sp_buffer_puts(out, " to ");
	sp_ask_put_time(out, s->last_ns);
	sp_buffer_printf(out, ": %.*f %% went well", s->good == s->runs ? 0 : 1,
		floor(1000.0 * (double)s->good / (double)s->runs) / 10);
	sp_buffer_printf(out, ", %llu did not\n", (unsigned long long)(s->runs - s->good));
	for (unsigned i = 0; i < LISTS; i++)
		put_list(out, s, (enum list)i, most);
}

/* --- as JSON */

static json_t *list_json(const struct ranking *r, enum list list, size_t most)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < r->count && i < most; i++) {
		json_t *row = json_incref(r->items[i].json);

		if (list != FAILING)
			sp_json_set(row, list == HUNGRIEST ? "peak_rss_bytes" : "wall_ns",
				sp_json_number(r->items[i].value));
		if (list == CHANGED_MOST)
			sp_json_set(row, "wall_ns_before", sp_json_number(r->items[i].before));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *summary_json(const struct summary *s, size_t most)
{
	static const char *const keys[LISTS] = {"slowest", "hungriest", "most_changed", "failing"};
	json_t *all = json_object();

	sp_json_set(all, "runs", sp_json_count(s->runs));
	sp_json_set(all, "good", sp_json_count(s->good));
	sp_json_set(all, "series", sp_json_count(s->series));
	sp_json_set(all, "first_ns", sp_ask_time_json(s->first_ns));
	sp_json_set(all, "last_ns", sp_ask_time_json(s->last_ns));
	for (unsigned i = 0; i < LISTS; i++)
		sp_json_set(all, keys[i], list_json(&s->lists[i], (enum list)i, most));
	return all;
}

static int print(const struct summary *s, size_t most)
{
	struct sp_buffer text = {0};
	int status;

	if (s->ask->format == SP_ASK_JSON)
		return sp_ask_print_json(s->ask, summary_json(s, most));
	put_text(&text, s, most);
	status = sp_ask_print(s->ask, &text);
	sp_buffer_free(&text);
	return status;
}

static void free_summary(struct summary *s)
{
	for (unsigned i = 0; i < LISTS; i++) {
		for (size_t k = 0; k < s->lists[i].count; k++) {
			free(s->lists[i].items[k].name);
			json_decref(s->lists[i].items[k].json);
		}
		free(s->lists[i].items);
	}
}

int sp_cmd_summary(int argc, char **argv)
{
	struct sp_ask ask;
	struct summary s = {.ask = &ask};
	int status = sp_ask_begin(&ask, "summary", argc, argv, 0, help);

	if (status < 0) {
		size_t most = ask.filter.limit ? ask.filter.limit : TOP;

		ask.filter.limit = 0;
		status = gather(&s) ? sp_ask_failed(&ask) : print(&s, most);
	}
	free_summary(&s);
	sp_ask_end(&ask);
	return status;
}
