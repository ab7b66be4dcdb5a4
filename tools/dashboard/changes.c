/* When the series began to cost more or less. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dashboard/board.h"

/* Growth of other metrics is no cost, or follows from these. */
static bool is_cost(const char *name)
{
	static const char *const costs[] = {
		"wall_ns", "user_ns", "cpu_ns", "peak_rss_bytes", "heap_peak_bytes", "allocated_bytes"};

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		if (strcmp(name, costs[i]) == 0)
			return true;
	return strncmp(name, "span.", 5) == 0 && strstr(name, ".p99_");
}

static void add_changes(struct sp_board_series *series, const struct sp_changes *found, const size_t *places,
	uint32_t metric, uint32_t branch)
{
	for (size_t i = 0; i < found->count; i++) {
		struct sp_board_change *change;

		sp_grow(&series->changes, &series->change_capacity, series->change_count + 1, sizeof(*series->changes));
		change = &series->changes[series->change_count++];
		*change = (struct sp_board_change){.found = found->items[i], .metric = metric, .branch = branch};
		change->found.first = places[found->items[i].first];
		change->found.before = places[found->items[i].before];
		change->found.after = places[found->items[i].after];
		change->found.last = places[found->items[i].last];
		change->found.surely_before = places[found->items[i].surely_before];
		change->found.surely_after = places[found->items[i].surely_after];
	}
}

static void find_in(struct sp_board *b, struct sp_board_series *series, uint32_t metric, uint32_t branch)
{
	struct sp_history_value *values = sp_alloc(series->run_count + 1, sizeof(*values));
	size_t *places = sp_alloc(series->run_count + 1, sizeof(*places)), count = 0;
	struct sp_changes found = {0};

	for (size_t i = 0; i < series->run_count; i++) {
		const struct sp_board_run *run = &series->runs[i];
		struct sp_history_value *value = &values[count];

		if (!run->good || run->branch != branch)
			continue;
		value->error = NAN;
		value->value = sp_board_value(b, run, metric, &value->error);
		if (!(value->value > 0))
			continue;
		value->machine = sp_names_text(&b->machines, run->machine);
		places[count++] = i;
	}
	if (count > 2)
		sp_changes_find(&found, values, count);
	add_changes(series, &found, places, metric, branch);
	sp_changes_free(&found);
	free(values);
	free(places);
}

void sp_board_find_changes(struct sp_board *b)
{
	for (size_t i = 0; i < b->series_count; i++)
		for (uint32_t metric = 0; metric < b->metrics.count; metric++)
			for (uint32_t branch = 0;
				branch < b->branches.count && is_cost(sp_names_text(&b->metrics, metric)); branch++)
				find_in(b, &b->series[i], metric, branch);
}
