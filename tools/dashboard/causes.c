/* The functions that differ between the two sides of a change. */
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/history/cause.h"
#include "tools/dashboard/board.h"

#define RUNS_MOST 60u
#define ROWS_MOST 12u
#define CAUSES_MOST 60u

static bool has_functions(const struct sp_board_series *series, const struct sp_board_run *run)
{
	(void)run;
	return series->profiled;
}

static size_t read_side(const struct sp_board *b, const struct sp_board_series *series, const struct sp_change *found,
	bool after, struct sp_history_run *whole[static RUNS_MOST])
{
	const struct sp_board_run *runs[RUNS_MOST];
	size_t count = sp_board_side(b, series, found, after, has_functions, runs, RUNS_MOST), read = 0;

	for (size_t i = 0; i < count; i++)
		read += sp_history_find(b->store, runs[i]->id, SP_HISTORY_FUNCTIONS, &whole[read]) == 0;
	return read;
}

/* [name, module, unit, before, after, sure] */
static json_t *rows_json(const struct sp_cause *cause, const char *unit)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < cause->count && i < ROWS_MOST; i++) {
		const struct sp_cause_row *row = &cause->rows[i];

		json_array_append_new(rows,
			json_pack("[o, o, s, o, o, b]", sp_json_text(row->function), sp_json_text(row->module), unit,
				sp_json_number(row->before), sp_json_number(row->after), row->sure));
	}
	return rows;
}

static bool is_of_memory(const struct sp_board *b, const struct sp_board_change *change)
{
	return strstr(sp_names_text(&b->metrics, change->metric), "_bytes") != NULL;
}

/* NULL: no functions are known on one side. */
static json_t *cause_json(const struct sp_board *b, const struct sp_board_series *series,
	const struct sp_board_change *change)
{
	bool memory = is_of_memory(b, change);
	struct sp_history_run *runs[2][RUNS_MOST];
	size_t counts[2] = {read_side(b, series, &change->found, false, runs[0]), 0};
	struct sp_cause cause = {0};
	json_t *made = NULL;

	if (counts[0])
		counts[1] = read_side(b, series, &change->found, true, runs[1]);
	if (counts[1]) {
		sp_cause_find(&cause, runs[0], counts[0], runs[1], counts[1],
			memory ? SP_HISTORY_ALLOCATED : SP_HISTORY_CPU);
		if (cause.runs_before && cause.runs_after)
			made = rows_json(&cause, memory ? "allocated_bytes" : "cpu_ns");
		sp_cause_free(&cause);
	}
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < counts[side]; i++)
			sp_history_run_free(runs[side][i]);
	return made;
}

/* Several metrics may have changed at one place: the same runs tell why. NULL: none before this one did. */
static const struct sp_board_change *twin(const struct sp_board *b, const struct sp_board_series *series, size_t at)
{
	const struct sp_change *found = &series->changes[at].found;

	for (size_t i = 0; i < at; i++) {
		const struct sp_change *other = &series->changes[i].found;

		if (other->first == found->first && other->before == found->before && other->after == found->after &&
			other->last == found->last &&
			is_of_memory(b, &series->changes[i]) == is_of_memory(b, &series->changes[at]))
			return &series->changes[i];
	}
	return NULL;
}

void sp_board_add_causes(struct sp_board *b)
{
	size_t asked = 0;

	for (size_t i = 0; i < b->series_count; i++)
		for (size_t k = 0; k < b->series[i].change_count && asked < CAUSES_MOST; k++, asked++) {
			struct sp_board_change *change = &b->series[i].changes[k];
			const struct sp_board_change *same = twin(b, &b->series[i], k);

			change->causes = same ? json_incref(same->causes) : cause_json(b, &b->series[i], change);
		}
}
