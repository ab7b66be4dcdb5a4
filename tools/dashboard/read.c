/* Runs of the history become columns. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "tools/dashboard/board.h"

/* A group of the history and how many of its runs the page takes. */
struct part {
	int64_t series;
	uint64_t runs;
};

struct parts {
	struct part *items;
	size_t count, capacity;
};

double sp_board_value(const struct sp_board *b, const struct sp_board_run *run, uint32_t metric, double *error)
{
	for (size_t i = run->first; i < run->first + run->count; i++) {
		if (b->values[i].metric != metric)
			continue;
		if (error)
			*error = b->values[i].error;
		return b->values[i].value;
	}
	return NAN;
}

static int add_part(const struct sp_history_group *group, void *context)
{
	struct parts *parts = context;

	sp_grow(&parts->items, &parts->capacity, parts->count + 1, sizeof(*parts->items));
	parts->items[parts->count++] = (struct part){.series = group->series, .runs = group->runs};
	return 0;
}

static uint64_t sum_at(const struct parts *parts, uint64_t most)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < parts->count; i++)
		sum += parts->items[i].runs < most ? parts->items[i].runs : most;
	return sum;
}

/* So many runs of each group that all of them together are not too many: a command that runs all day must not push
 * one out that runs at night. */
static uint64_t most_of_each(const struct parts *parts)
{
	uint64_t low = 1, high = SP_BOARD_RUNS;

	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;

		if (sum_at(parts, middle) <= SP_BOARD_RUNS)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* Of runs that may stand in one chart, though machines and branches differ. */
static struct sp_board_series *series_of(struct sp_board *b, const struct sp_history_run *run)
{
	char *key = sp_text("%s\n%s\n%s\n%s\n%d", run->program, run->args_class, run->environment, run->kind,
		run->profiled);
	uint32_t id = sp_names_id(&b->keys, key);
	struct sp_board_series *series;

	free(key);
	if (id < b->series_count)
		return &b->series[id];
	sp_grow(&b->series, &b->series_capacity, b->series_count + 1, sizeof(*b->series));
	series = &b->series[b->series_count++];
	*series = (struct sp_board_series){.program = sp_copy_text(run->program),
		.arguments = sp_copy_text(run->args_class),
		.environment = sp_copy_text(run->environment),
		.kind = sp_copy_text(run->kind),
		.profiled = run->profiled};
	return series;
}

static uint32_t machine_of(struct sp_board *b, const struct sp_history_machine *machine)
{
	uint32_t id = sp_names_id(&b->machines, machine->class);
	char name[96];

	if (id < json_array_size(b->machine_list))
		return id;
	snprintf(name, sizeof(name), "%.60s, %g cores", *machine->cpu ? machine->cpu : machine->class,
		machine->millicores / 1000.0);
	json_array_append_new(b->machine_list,
		json_pack("{s:o, s:o, s:o, s:f, s:o, s:o, s:o}", "id", sp_json_text(machine->class), "name",
			sp_json_text(name), "cpu", sp_json_text(machine->cpu), "cores", machine->millicores / 1000.0,
			"memory", sp_json_count(machine->memory_bytes), "kernel", sp_json_text(machine->kernel),
			"governor", sp_json_text(machine->governor)));
	return id;
}

static uint32_t state_of(struct sp_board *b, const struct sp_history_run *run)
{
	char text[64];

	if (run->signal)
		snprintf(text, sizeof(text), "%s %d", run->state, run->signal);
	else if (run->exit_status > 0)
		snprintf(text, sizeof(text), "%s (%d)", run->state, run->exit_status);
	else
		snprintf(text, sizeof(text), "%s", run->state);
	return sp_names_id(&b->states, text);
}

static bool is_baseline(const struct sp_history_run *run)
{
	bool found = false;

	for (size_t i = 0; i < run->tag_count; i++)
		found = found || strcmp(run->tags[i], "baseline") == 0;
	return found;
}

static int add_run(const struct sp_history_run *run, void *context)
{
	struct sp_board *b = context;
	struct sp_board_series *series = series_of(b, run);
	struct sp_board_run *mine;

	sp_grow(&series->runs, &series->run_capacity, series->run_count + 1, sizeof(*series->runs));
	mine = &series->runs[series->run_count++];
	*mine = (struct sp_board_run){.started_ns = run->started_ns,
		.commit = sp_names_id(&b->commits, run->commit),
		.branch = sp_names_id(&b->branches, run->branch),
		.machine = machine_of(b, &run->machine),
		.build = sp_names_id(&b->builds, run->build_id),
		.state = state_of(b, run),
		.jobs = run->jobs,
		.good = sp_history_is_good(run),
		.baseline = is_baseline(run),
		.first = b->value_count,
		.count = run->metric_count};
	memcpy(mine->id, run->id, sizeof(mine->id));
	memcpy(mine->profile, run->blobs[SP_HISTORY_PROFILE].hash, sizeof(mine->profile));
	sp_grow(&b->values, &b->value_capacity, b->value_count + run->metric_count, sizeof(*b->values));
	for (size_t i = 0; i < run->metric_count; i++)
		b->values[b->value_count++] =
			(struct sp_board_value){.metric = sp_names_id(&b->metrics, run->metrics[i].name),
				.value = run->metrics[i].value,
				.error = run->metrics[i].error};
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct sp_board_run *x = a, *y = b;

	return x->started_ns != y->started_ns ? (x->started_ns < y->started_ns ? -1 : 1) : strcmp(x->id, y->id);
}

int sp_board_read(struct sp_board *b, struct sp_history *store)
{
	struct parts parts = {0};
	int error;
	uint64_t most;

	*b = (struct sp_board){.store = store, .machine_list = json_array(), .flames = json_array()};
	sp_names_id(&b->states, "ok"); /* the page knows it by its number */
	error = sp_history_groups(store, &(struct sp_history_filter){.limit = SP_BOARD_SERIES}, NULL, 0, add_part,
		&parts);
	most = most_of_each(&parts);
	for (size_t i = 0; i < parts.count && !error; i++)
		error = sp_history_each(store,
			&(struct sp_history_filter){.series = parts.items[i].series, .limit = most},
			SP_HISTORY_METRICS | SP_HISTORY_TAGS, add_run, b);
	free(parts.items);
	for (size_t i = 0; i < b->series_count; i++)
		qsort(b->series[i].runs, b->series[i].run_count, sizeof(*b->series[i].runs), by_start);
	return error;
}

static void free_series(struct sp_board_series *series)
{
	for (size_t i = 0; i < series->change_count; i++) {
		json_decref(series->changes[i].commits);
		json_decref(series->changes[i].causes);
		json_decref(series->changes[i].flame);
	}
	free(series->program);
	free(series->arguments);
	free(series->environment);
	free(series->kind);
	free(series->runs);
	free(series->changes);
	json_decref(series->baselines);
}

void sp_board_free(struct sp_board *b)
{
	struct sp_names *names[] = {
		&b->metrics, &b->commits, &b->branches, &b->builds, &b->states, &b->machines, &b->keys};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sp_names_free(names[i]);
	for (size_t i = 0; i < b->series_count; i++)
		free_series(&b->series[i]);
	json_decref(b->machine_list);
	json_decref(b->flames);
	free(b->series);
	free(b->values);
}
