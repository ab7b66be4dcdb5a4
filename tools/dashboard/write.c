/* The board as JSON, in columns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/json.h"
#include "tools/dashboard/board.h"

/* Six digits tell all that a chart can show, and make a page of a thousand runs small. */
static json_t *rounded(double value)
{
	double unit;

	if (!isfinite(value))
		return json_null();
	unit = value == 0 ? 1 : pow(10, floor(log10(fabs(value))) - 5);
	value = round(value / unit) * unit;
	return unit >= 1 || value == round(value) ? json_integer((json_int_t)fmax(fmin(value, 9e18), -9e18))
						  : json_real(value);
}

static json_t *ratio_json(double value)
{
	return isfinite(value) && value > 0 ? json_real(round(value * 1e5) / 1e5) : json_null();
}

static json_t *texts_json(const struct sp_names *names)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < names->count; i++)
		json_array_append_new(list, sp_json_text(sp_names_text(names, i)));
	return list;
}

enum column { COMMIT, BRANCH, MACHINE, BUILD, STATE, JOBS, COLUMNS };

static json_int_t cell(const struct sp_board_run *run, enum column column)
{
	const json_int_t cells[COLUMNS] = {run->commit, run->branch, run->machine, run->build, run->state, run->jobs};

	return cells[column];
}

/* A column that is the same all the way is given once. */
static json_t *column_json(const struct sp_board_series *series, enum column column)
{
	json_t *list = json_array();
	bool same = true;

	for (size_t i = 0; i < series->run_count; i++) {
		json_array_append_new(list, json_integer(cell(&series->runs[i], column)));
		same = same && cell(&series->runs[i], column) == cell(&series->runs[0], column);
	}
	if (!same || !series->run_count)
		return list;
	json_decref(list);
	return json_integer(cell(&series->runs[0], column));
}

static json_t *starts_json(const struct sp_board_series *series)
{
	json_t *list = json_array();
	uint64_t last_s = 0;

	for (size_t i = 0; i < series->run_count; i++) {
		uint64_t start_s = series->runs[i].started_ns / 1000000000u;

		json_array_append_new(list, sp_json_count(start_s - last_s));
		last_s = start_s;
	}
	return list;
}

static json_t *metric_json(const struct sp_board *b, const struct sp_board_series *series, uint32_t metric)
{
	json_t *values = json_array(), *errors = json_array(), *made;
	bool known = false;

	for (size_t i = 0; i < series->run_count; i++) {
		double error = NAN;

		json_array_append_new(values, rounded(sp_board_value(b, &series->runs[i], metric, &error)));
		json_array_append_new(errors, rounded(error));
		known = known || error > 0;
	}
	made = json_pack("{s:o, s:o}", "name", sp_json_text(sp_names_text(&b->metrics, metric)), "values", values);
	if (known)
		json_object_set(made, "errors", errors);
	json_decref(errors);
	return made;
}

struct use {
	uint32_t metric;
	size_t runs;
};

static int by_use(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return x->runs != y->runs ? (x->runs > y->runs ? -1 : 1) : (int)x->metric - (int)y->metric;
}

static json_t *metrics_json(const struct sp_board *b, const struct sp_board_series *series)
{
	struct use *uses = sp_alloc(b->metrics.count + 1, sizeof(*uses));
	json_t *list = json_array();

	for (uint32_t metric = 0; metric < b->metrics.count; metric++)
		uses[metric].metric = metric;
	for (size_t i = 0; i < series->run_count; i++)
		for (size_t k = 0; k < series->runs[i].count; k++)
			uses[b->values[series->runs[i].first + k].metric].runs++;
	qsort(uses, b->metrics.count, sizeof(*uses), by_use);
	for (size_t i = 0; i < b->metrics.count && i < SP_BOARD_METRICS && uses[i].runs; i++)
		json_array_append_new(list, metric_json(b, series, uses[i].metric));
	free(uses);
	return list;
}

static json_t *change_json(const struct sp_board *b, const struct sp_board_series *series,
	struct sp_board_change *change)
{
	const struct sp_change *found = &change->found;
	json_t *made = json_pack("{s:o, s:i, s:i, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "metric",
		sp_json_text(sp_names_text(&b->metrics, change->metric)), "branch", (int)change->branch, "machine",
		(int)series->runs[found->after].machine, "at", (json_int_t)found->after, "from",
		(json_int_t)found->first, "to", (json_int_t)found->last, "before", rounded(found->level_before),
		"after", rounded(found->level_after), "low", ratio_json(found->low), "high", ratio_json(found->high),
		"chance", sp_json_number(found->p), "suspected", found->state == SP_CHANGE_SUSPECTED, "gradual",
		found->gradual);

	json_object_set_new(made, "ratio", ratio_json(found->ratio));
	json_object_set_new(made, "until", json_integer((json_int_t)found->before));
	if (!found->gradual)
		json_object_set_new(made, "place",
			json_pack("[I, I, I]", (json_int_t)found->surely_before, (json_int_t)found->surely_after,
				(json_int_t)found->places));
	if (change->commits)
		json_object_set(made, "commits", change->commits);
	if (change->causes)
		json_object_set(made, "causes", change->causes);
	if (change->flame)
		json_object_set(made, "flame", change->flame);
	return made;
}

static json_t *series_json(const struct sp_board *b, struct sp_board_series *series)
{
	json_t *ids = json_array(), *changes = json_array(), *baseline = json_array(), *made;
	char key[20];

	for (size_t i = 0; i < series->run_count; i++) {
		json_array_append_new(ids, json_string(series->runs[i].id));
		if (series->runs[i].baseline)
			json_array_append_new(baseline, json_integer((json_int_t)i));
	}
	for (size_t i = 0; i < series->change_count; i++)
		json_array_append_new(changes, change_json(b, series, &series->changes[i]));
	/* Stays the same while the history grows: links hold it. */
	snprintf(key, sizeof(key), "%016llx",
		(unsigned long long)(sp_hash_bytes(series->program, strlen(series->program)) ^
			3 * sp_hash_bytes(series->arguments, strlen(series->arguments)) ^
			5 * sp_hash_bytes(series->environment, strlen(series->environment)) ^
			7 * sp_hash_bytes(series->kind, strlen(series->kind)) ^ series->profiled));
	made = json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "key", key, "program",
		sp_json_text(series->program), "arguments", sp_json_text(series->arguments), "environment",
		sp_json_text(series->environment), "kind", sp_json_text(series->kind), "profiled", series->profiled,
		"when", starts_json(series), "id", ids, "changes", changes, "baseline", baseline, "metrics",
		metrics_json(b, series));
	for (enum column column = 0; column < COLUMNS; column++) {
		static const char *const names[COLUMNS] = {"commit", "branch", "machine", "build", "state", "jobs"};

		json_object_set_new(made, names[column], column_json(series, column));
	}
	if (series->baselines)
		json_object_set(made, "baselines", series->baselines);
	return made;
}

int sp_board_write(struct sp_buffer *out, struct sp_history *store)
{
	struct sp_board b;
	json_t *list = json_array(), *commits, *details;
	int error = sp_board_read(&b, store);

	if (!error)
		error = sp_board_find_baselines(&b);
	if (!error) {
		sp_board_find_changes(&b);
		sp_board_add_stacks(&b);
		sp_board_add_causes(&b);
		details = sp_board_details(&b);
		commits = sp_board_commits(&b);
		for (size_t i = 0; i < b.series_count; i++)
			json_array_append_new(list, series_json(&b, &b.series[i]));
		sp_json_put(out,
			json_pack("{s:s, s:I, s:O, s:o, s:o, s:o, s:o, s:O, s:o, s:O, s:o}", "kind", "dashboard",
				"made", (json_int_t)time(NULL), "series", list, "states", texts_json(&b.states),
				"branches", texts_json(&b.branches), "builds", texts_json(&b.builds), "commits",
				commits, "machines", b.machine_list, "details", details, "flames", b.flames, "health",
				sp_board_health(&b)),
			true);
	}
	json_decref(list);
	sp_board_free(&b);
	return error;
}
