/* Making a baseline of runs in the history. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "tools/baseline/baseline.h"
#include "tools/history/history.h"
#include "tools/history/record.h"
#include "tools/tools.h"

struct numbers {
	int64_t *items;
	size_t count, capacity;
};

static int note_group(const struct sp_history_group *group, void *context)
{
	struct numbers *series = context;

	if (strcmp(group->kind, "monitor") != 0 || group->parallel)
		return 0;
	sp_grow(&series->items, &series->capacity, series->count + 1, sizeof(*series->items));
	series->items[series->count++] = group->series;
	return 0;
}

/* The newest runs of a series come first: what another build or other files than theirs gave is another program. */
struct collector {
	json_t *baseline;
	char *build_id;
	int dirty;
	size_t taken;
};

static int add_run(const struct sp_history_run *run, void *context)
{
	struct collector *c = context;

	if (!c->build_id) {
		c->build_id = sp_copy_text(run->build_id);
		c->dirty = run->dirty;
	}
	if (strcmp(c->build_id, run->build_id) != 0 || c->dirty != run->dirty)
		return 0;
	sp_baseline_add(c->baseline, run);
	c->taken += sp_history_is_good(run); /* what failed costs nothing */
	return 0;
}

static int collect_series(struct sp_history *store, json_t *baseline, const char *commit, int64_t number, size_t *taken)
{
	struct sp_history_filter filter = {.commit = commit, .series = number, .limit = SP_BASELINE_RUNS_MOST};
	struct collector collector = {.baseline = baseline};
	int err = sp_history_each(store, &filter, SP_HISTORY_METRICS, add_run, &collector);

	if (collector.dirty > 0)
		json_object_set_new(baseline, "dirty", json_true());
	*taken += collector.taken;
	free(collector.build_id);
	return err;
}

/* What a command costs whose runs all failed nobody knows. */
static void drop_failed(const char *command, json_t *baseline)
{
	json_t *commands = json_object_get(baseline, "commands");

	for (size_t i = json_array_size(commands); i-- > 0;) {
		const json_t *one = json_array_get(commands, i);
		char *line;

		if (json_object_size(json_object_get(one, "figures")))
			continue;
		line = sp_copy_text(sp_baseline_text(one, "command"));
		sp_make_inert(line);
		sp_complain("%s: '%s' is not in it: its runs failed, all %lld", command, line,
			(long long)json_integer_value(json_object_get(one, "failed")));
		free(line);
		json_array_remove(commands, i);
	}
}

json_t *sp_baseline_collect(const char *command, struct sp_history *store, const struct sp_baseline_head *head,
	int *status)
{
	struct sp_history_filter filter = {.commit = head->commit && *head->commit ? head->commit : NULL,
		.machine = head->machine->class,
		.kind = "monitor"};
	json_t *baseline = sp_baseline_make(head);
	struct numbers series = {0};
	size_t taken = 0;
	int err = sp_history_groups(store, &filter, NULL, 0, note_group, &series);

	for (size_t i = 0; !err && i < series.count; i++)
		err = collect_series(store, baseline, filter.commit, series.items[i], &taken);
	free(series.items);
	*status = err ? sp_history_complain(command, sp_history_error(store)) : 0;
	if (!err && !taken) {
		sp_complain(
			"%s: the history has no run of %s%.12s on this machine that ended well; run smartprof check "
			"or smartprof monitor first",
			command, filter.commit ? "commit " : "any command", filter.commit ? filter.commit : "");
		*status = 1;
	}
	if (!*status) {
		drop_failed(command, baseline);
		sp_baseline_finish(baseline);
		return baseline;
	}
	json_decref(baseline);
	return NULL;
}

void sp_baseline_pin(struct sp_history *store, const json_t *baseline, bool on)
{
	char *why = sp_text("baseline %.100s", sp_baseline_text(baseline, "name"));
	const json_t *command, *id;
	size_t i, k;

	json_array_foreach(json_object_get(baseline, "commands"), i, command)
	{
		json_array_foreach(json_object_get(command, "run_ids"), k, id)
		{
			if (json_is_string(id)) /* one that came from elsewhere is not there */
				sp_history_pin(store, json_string_value(id), why, on);
		}
	}
	free(why);
}

int sp_baseline_keep(const char *command, struct sp_history *store, const json_t *baseline,
	char id[static SP_HISTORY_BASELINE_ID])
{
	char *content = json_dumps(baseline, JSON_COMPACT | JSON_REAL_PRECISION(12));
	struct sp_history_baseline row = {.name = sp_baseline_text(baseline, "name"),
		.commit = sp_baseline_text(baseline, "commit"),
		.branch = sp_baseline_text(baseline, "branch"),
		.machine = sp_baseline_machine(baseline),
		.created_ns = sp_baseline_created_ns(baseline),
		.content = content};
	int err = sp_history_baseline_add(store, &row);

	free(content);
	if (err)
		return sp_history_complain(command, sp_history_error(store));
	memcpy(id, row.id, sizeof(row.id));
	sp_baseline_pin(store, baseline, true);
	return 0;
}

void sp_machine_here(struct sp_history_machine *machine)
{
	sp_record_machine(machine);
	sp_history_machine_class(machine);
}

void sp_machine_drop(struct sp_history_machine *machine)
{
	free(machine->cpu);
	free(machine->kernel);
	free(machine->governor);
}
