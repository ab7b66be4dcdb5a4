/* What people said of runs by keeping baselines. */
#include <stdlib.h>
#include <string.h>

#include "profiles/gate/baseline.h"
#include "profiles/history/baselines.h"
#include "symbolize/base/memory.h"
#include "tools/history/alert.h"

static int read_one(const struct sp_history_baseline *row, void *context)
{
	const char *why;
	json_t *baseline = sp_baseline_parse(row->content, strlen(row->content), &why);

	if (baseline) /* else another version's */
		json_array_append_new(context, baseline);
	return 0;
}

int sp_accepted_read(struct sp_history *store, json_t **baselines)
{
	const struct sp_history_baseline_filter all = {0};

	*baselines = json_array();
	return sp_history_baselines(store, &all, read_one, *baselines);
}

static void mark_ids(const json_t *command, const struct sp_values *values, struct sp_map *places, bool *marks)
{
	const json_t *id;
	size_t i;

	json_array_foreach(json_object_get(command, "run_ids"), i, id)
	{
		const char *text = json_string_value(id);
		uint64_t hash = text ? sp_hash_bytes(text, strlen(text)) : 0;
		int found;
		uint32_t *place = sp_map_at(places, hash, 0, &found);

		if (!found)
			*place = UINT32_MAX;
		else if (text && *place < values->count && strcmp(values->points.items[*place].id, text) == 0)
			marks[*place] = true;
	}
}

/* Runs that baselines do not hold by their ids: those of `run` and `guard`, and of stores elsewhere. */
static void mark_commit(const json_t *baseline, const struct sp_values *values, bool *marks)
{
	const char *commit = sp_baseline_text(baseline, "commit");

	if (!*commit || json_is_true(json_object_get(baseline, "dirty")))
		return;
	for (size_t i = 0; i < values->count; i++)
		marks[i] = strcmp(values->points.items[i].commit, commit) == 0;
}

static bool marked(const bool *marks, size_t count, size_t *first, size_t *end)
{
	*end = 0;
	for (size_t i = 0; i < count; i++) {
		if (!marks[i])
			continue;
		if (!*end)
			*first = i;
		*end = i + 1;
	}
	return *end > 0;
}

/* Sets `marks` to the runs of the series that the baseline is of. */
static bool mark(const json_t *baseline, const struct sp_history_group *group, const struct sp_values *values,
	struct sp_map *places, bool *marks, struct sp_alert_kept *kept)
{
	const json_t *command = sp_baseline_find(baseline, group->program, group->args_class);

	memset(marks, 0, values->count * sizeof(*marks));
	if (!command || strcmp(sp_baseline_machine(baseline), group->machine) != 0)
		return false;
	mark_ids(command, values, places, marks);
	if (marked(marks, values->count, &kept->from, &kept->end))
		return true;
	mark_commit(baseline, values, marks);
	return marked(marks, values->count, &kept->from, &kept->end);
}

void sp_accepted_find(const json_t *baselines, const struct sp_history_group *group, const struct sp_values *values,
	struct sp_alert_kept *kept, bool **pinned)
{
	bool *marks = sp_alloc(values->count + 1, sizeof(*marks));
	struct sp_map places = {0};
	const json_t *baseline;
	size_t k;
	int found;

	*kept = (struct sp_alert_kept){0};
	*pinned = NULL;
	for (size_t i = 0; i < values->count && json_array_size(baselines); i++) {
		const char *id = values->points.items[i].id;

		*sp_map_at(&places, sp_hash_bytes(id, strlen(id)), 0, &found) = (uint32_t)i;
	}
	json_array_foreach(baselines, k, baseline)
	{
		struct sp_alert_kept one;

		if (!mark(baseline, group, values, &places, marks, &one))
			continue;
		if (!*pinned) { /* the newest comes first */
			*pinned = sp_alloc(values->count, sizeof(**pinned));
			memcpy(*pinned, marks, values->count * sizeof(*marks));
			kept->pinned = *pinned;
		}
		if (*sp_baseline_text(baseline, "because") && one.end > kept->end) {
			kept->from = one.from;
			kept->end = one.end;
		}
	}
	sp_map_free(&places);
	free(marks);
}
