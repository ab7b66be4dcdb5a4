/* smartprof history changes: when programs began to cost more or less, at which commits, and by which functions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"
#include "tools/history/told_change.h"
#include "tools/tools.h"

#define CAUSE_RUNS 100u /* of a side, those next to the change, whose functions are read */
#define ROWS_SHOWN 5u

static void help(void)
{
	printf("usage: smartprof history changes [METRIC] [FLAGS]\n\n"
	       "Shows when runs of a command began to take more, or less, on one class of machines: since which run, "
	       "by how much, "
	       "which\ncommits lie between, among which runs and commits it is with 95 %% confidence, and which "
	       "functions "
	       "differ between "
	       "all profiles\nbefore and all after. METRIC is looked at, or time, user time, peak memory and allocated "
	       "memory. What only the last "
	       "runs\ntell, or fewer than ten in all, is \"suspected\".\n\n" SP_ASK_HELP);
}

struct report {
	const struct sp_ask *ask;
	const char *metric; /* NULL: the usual ones */
	struct sp_buffer text;
	json_t *json;
	size_t looked; /* series with enough runs */
	struct sp_keeps keeps;
};

static enum sp_history_of cost_of(const char *metric)
{
	return strcmp(metric, "peak_rss_bytes") == 0 || strcmp(metric, "heap_peak_bytes") == 0 ||
			strcmp(metric, "allocated_bytes") == 0
		? SP_HISTORY_ALLOCATED
		: SP_HISTORY_CPU;
}

/* --- what is behind a change */

/* The runs of the same command on the same machine that have functions, with the agent or without: those are series apart. */
struct gather {
	const struct sp_history_group *group;
	char (*ids)[SP_HISTORY_ID];
	size_t count;
};

static int gather_run(const struct sp_history_run *run, void *context)
{
	struct gather *g = context;

	if (!run->profiled || strcmp(run->program, g->group->program) != 0 ||
		strcmp(run->args_class, g->group->args_class) != 0 ||
		strcmp(run->environment, g->group->environment) != 0 || run->jobs > 1)
		return 0;
	memcpy(g->ids[g->count++], run->id, SP_HISTORY_ID);
	return g->count == CAUSE_RUNS;
}

static uint64_t end_of_level(const struct sp_told_change *c, size_t last)
{
	return sp_level_end_ns(sp_told_run(c, last)->started_ns,
		last + 1 < c->values->points.count ? sp_told_run(c, last + 1)->started_ns : UINT64_MAX);
}

static int load_side(const struct report *r, struct sp_told_change *c, const struct sp_history_group *group,
	size_t side)
{
	const struct sp_change *w = c->what;
	struct sp_history_filter filter = {.machine = group->machine,
		.good = true,
		.oldest_first = side == 1,
		.since_ns = sp_told_run(c, side ? w->after : w->first)->started_ns,
		.until_ns = end_of_level(c, side ? w->last : w->before)};
	struct gather g = {.group = group, .ids = sp_alloc(CAUSE_RUNS, SP_HISTORY_ID)};
	int error;

	if (!strpbrk(group->program, "*?["))
		filter.program = group->program;
	error = sp_history_each(r->ask->store, &filter, 0, gather_run, &g);
	c->runs[side] = sp_alloc(CAUSE_RUNS, sizeof(*c->runs[side]));
	for (size_t i = 0; i < g.count && error >= 0; i++) {
		error = sp_history_find(r->ask->store, g.ids[i], SP_HISTORY_FUNCTIONS,
			&c->runs[side][c->run_count[side]]);
		c->run_count[side] += !error;
	}
	free(g.ids);
	return error < 0 ? error : 0;
}

static int find_cause(const struct report *r, struct sp_told_change *c, const struct sp_history_group *group)
{
	int error = load_side(r, c, group, 0);

	if (!error)
		error = load_side(r, c, group, 1);
	if (!error)
		sp_cause_find(&c->cause, c->runs[0], c->run_count[0], c->runs[1], c->run_count[1], cost_of(c->metric));
	return error;
}

static void free_change(struct sp_told_change *c)
{
	sp_cause_free(&c->cause);
	for (size_t side = 0; side < 2; side++) {
		for (size_t i = 0; i < c->run_count[side]; i++)
			sp_history_run_free(c->runs[side][i]);
		free(c->runs[side]);
	}
}

/* --- as text */

static void put_name(struct report *r, const char *name)
{
	sp_escape_name(&r->text, r->ask->format == SP_ASK_MARKDOWN ? SP_ESCAPE_CELL : SP_ESCAPE_PLAIN, name);
}

static void put_head(struct report *r, const struct sp_told_change *c)
{
	const struct sp_change *w = c->what;
	const struct sp_history_point *after = sp_told_run(c, w->after);
	struct sp_buffer *out = &r->text;

	sp_buffer_puts(out, r->ask->format == SP_ASK_MARKDOWN ? "\n- " : "  ▲ ");
	sp_ask_put_time(out, after->started_ns);
	sp_buffer_printf(out, "  run %.*s: %s%s ", SP_HISTORY_SHORT, after->id,
		w->state == SP_CHANGE_CONFIRMED ? "" : "suspected, ", c->metric);
	sp_told_put_size(out, c->metric, w);
	sp_buffer_printf(out, "; %zu runs before, %zu after%s\n", w->runs_before, w->runs_after,
		w->gradual ? "; little by little" : "");
}

/* Where there are more commits than those between the last run before and the first one after. */
static void put_reached(struct report *r, const struct sp_told_change *c)
{
	const struct sp_change *w = c->what;
	const char *before = sp_told_commit(c, w->surely_before), *after = sp_told_commit(c, w->surely_after);

	if (!*before || !*after || strcmp(before, after) == 0 ||
		(strcmp(before, sp_told_commit(c, w->before)) == 0 && strcmp(after, sp_told_commit(c, w->after)) == 0))
		return;
	sp_buffer_puts(&r->text, "    with that confidence among ");
	if (c->reached.known)
		sp_buffer_printf(&r->text, "the %zu commits of ", c->reached.count);
	sp_buffer_printf(&r->text, "git log %.12s..%.12s\n", before, after);
}

static void put_place(struct report *r, const struct sp_told_change *c)
{
	const struct sp_change *w = c->what;
	const char *less = w->small ? " (some 80 % where noise lasts from run to run)" : "";

	if (w->gradual)
		return;
	if (w->places == 1)
		sp_buffer_printf(&r->text, "    it began at this run, with %.0f %% confidence%s\n",
			100 * SP_CHANGES_SURE, less);
	else
		sp_buffer_printf(&r->text,
			"    it began at one of %zu runs, with %.0f %% confidence%s: after %.*s, at %.*s at the "
			"latest\n",
			w->places, 100 * SP_CHANGES_SURE, less, SP_HISTORY_SHORT, sp_told_run(c, w->surely_before)->id,
			SP_HISTORY_SHORT, sp_told_run(c, w->surely_after)->id);
	put_reached(r, c);
}

static void put_commits(struct report *r, const struct sp_told_change *c)
{
	const char *before = sp_told_commit(c, c->what->before), *after = sp_told_commit(c, c->what->after);
	bool same_build = sp_told_same_build(c);
	struct sp_buffer *out = &r->text;

	if (same_build)
		sp_buffer_puts(out,
			"    the program is the same build before and after: the machine, the input or a library "
			"changed\n");
	if (!*before || !*after)
		return;
	if (strcmp(before, after) == 0) {
		sp_buffer_printf(out, "    the commit is the same, %.12s%s\n", before,
			same_build ? "" : ": what changed was not committed");
		return;
	}
	if (!c->between.known) {
		sp_buffer_printf(out, "    commits between: git log %.12s..%.12s\n", before, after);
		return;
	}
	sp_buffer_printf(out, "    commits between %.12s and %.12s, %zu:\n", before, after, c->between.count);
	for (size_t i = 0; i < c->between.count && i < SP_COMMITS_MOST; i++) {
		sp_buffer_printf(out, "      %.12s ", c->between.list[i].id);
		put_name(r, c->between.list[i].subject);
		sp_buffer_puts(out, " (");
		put_name(r, c->between.list[i].author);
		sp_buffer_puts(out, ")\n");
	}
	if (c->between.count > SP_COMMITS_MOST)
		sp_buffer_printf(out, "      and %zu more\n", c->between.count - SP_COMMITS_MOST);
}

static void put_row(struct report *r, const struct sp_told_change *c, const struct sp_cause_row *row)
{
	const char *unit = cost_of(c->metric) == SP_HISTORY_CPU ? "cpu_ns" : "allocated_bytes";
	struct sp_buffer *out = &r->text;

	sp_buffer_puts(out, "      ");
	put_name(r, row->function);
	if (*row->module) {
		sp_buffer_puts(out, " (");
		put_name(r, strcmp(row->module, "(program)") == 0 ? "program" : row->module);
		sp_buffer_puts(out, ")");
	}
	sp_buffer_puts(out, row->change < 0 ? ": -" : ": +");
	sp_history_put_value(out, unit, fabs(row->change));
	sp_buffer_puts(out, cost_of(c->metric) == SP_HISTORY_CPU ? " of CPU time a run, " : " allocated a run, ");
	sp_history_put_value(out, unit, row->before);
	sp_buffer_puts(out, " became ");
	sp_history_put_value(out, unit, row->after);
	if (row->sure)
		sp_buffer_printf(out, ", q = %.2g\n", row->q);
	else
		sp_buffer_puts(out, ", likely: too few profiles to be sure\n");
}

static void put_cause(struct report *r, const struct sp_told_change *c)
{
	const struct sp_cause *cause = &c->cause;
	struct sp_buffer *out = &r->text;

	if (!cause->runs_before || !cause->runs_after) {
		sp_buffer_puts(out,
			"    no profiles on both sides: `smartprof monitor --profile` keeps them, and then functions "
			"are named\n");
		return;
	}
	if (!cause->count) {
		sp_buffer_printf(out, "    no function differs between the %zu profiles before and the %zu after\n",
			cause->runs_before, cause->runs_after);
		return;
	}
	sp_buffer_printf(out, "    cause, by the %zu profiles before and the %zu after:\n", cause->runs_before,
		cause->runs_after);
	for (size_t i = 0; i < cause->count && i < ROWS_SHOWN; i++)
		put_row(r, c, &cause->rows[i]);
}

/* --- series by series */

static int add_change(struct report *r, const struct sp_history_group *group, const struct sp_values *values,
	const struct sp_change *what, const char *metric)
{
	struct sp_told_change c = {.values = values, .what = what, .metric = metric};
	int error = find_cause(r, &c, group);

	if (!error) {
		sp_told_commits_find(&c);
		if (r->ask->format == SP_ASK_JSON) {
			json_array_append_new(r->json, sp_told_change_json(&c, group));
		} else {
			put_head(r, &c);
			put_place(r, &c);
			put_commits(r, &c);
			put_cause(r, &c);
		}
	}
	free_change(&c);
	return error;
}

static void put_title(struct report *r, const struct sp_history_group *group, size_t runs)
{
	bool markdown = r->ask->format == SP_ASK_MARKDOWN;

	if (r->ask->format == SP_ASK_JSON)
		return;
	sp_buffer_puts(&r->text, r->text.length ? "\n" : "");
	sp_buffer_puts(&r->text, markdown ? "## " : "");
	sp_ask_put_inert_series(&r->text, markdown ? SP_ESCAPE_CELL : SP_ESCAPE_PLAIN, group);
	sp_buffer_printf(&r->text, "; %zu runs on machine %.8s\n", runs, group->machine);
}

static int add_metric(struct report *r, const struct sp_history_group *group, const char *metric, bool *titled)
{
	struct sp_values values;
	struct sp_changes changes;
	int error = sp_values_changes(r->ask, group->series, metric, &values, &changes);

	r->looked += values.count >= 2 * SP_CHANGES_SIDE;
	for (size_t i = 0; i < changes.count && !error; i++) {
		if (!*titled)
			put_title(r, group, values.count);
		*titled = true;
		if (changes.items[i].state == SP_CHANGE_CONFIRMED)
			sp_keeps_add(&r->keeps, &values, changes.items[i].before, changes.items[i].after, metric);
		error = add_change(r, group, &values, &changes.items[i], metric);
	}
	sp_changes_free(&changes);
	sp_values_free(&values);
	return error;
}

static int add_series(const struct sp_history_group *group, void *context)
{
	struct report *r = context;
	bool titled = false;
	int error = 0;

	if (group->parallel)
		return 0;
	if (r->metric)
		return add_metric(r, group, r->metric, &titled);
	for (size_t i = 0; sp_values_metrics[i] && !error; i++)
		error = add_metric(r, group, sp_values_metrics[i], &titled);
	return error;
}

static int print(struct report *r)
{
	if (r->ask->format == SP_ASK_JSON)
		return sp_ask_print_json(r->ask, json_incref(r->json));
	if (!r->text.length)
		sp_buffer_puts(&r->text,
			r->looked ? "No changes.\n"
				  : "No command has six runs yet that went well: nothing to look at.\n");
	return sp_ask_print(r->ask, &r->text);
}

int sp_history_cmd_changes(int argc, char **argv)
{
	struct sp_ask ask;
	struct report r = {.ask = &ask};
	int status = sp_ask_begin(&ask, "history changes", argc, argv, 1, help);

	if (status < 0) {
		r.json = json_array();
		r.metric = ask.word_count ? ask.words[0] : NULL;
		status = r.metric && !sp_values_is_metric(&ask, r.metric) ? SP_EXIT_USAGE : 0;
		if (!status)
			status = sp_history_groups(ask.store, &ask.filter, NULL, 0, add_series, &r)
				? sp_ask_failed(&ask)
				: print(&r);
		sp_keeps_write(&r.keeps, ask.store);
		json_decref(r.json);
	}
	sp_buffer_free(&r.text);
	sp_ask_end(&ask);
	return status;
}
