/* Which runs baselines were made of. */
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/gate/baseline.h"
#include "profiles/history/baselines.h"
#include "tools/dashboard/board.h"

#define BASELINES_MOST 60u /* the newest */

struct place {
	size_t series, run;
};

struct marking {
	struct sp_board *board;
	struct sp_names ids; /* of all runs, with the place of each */
	struct place *places;
	size_t known, taken;
};

static void index_runs(struct marking *m)
{
	size_t capacity = 0;

	for (size_t i = 0; i < m->board->series_count; i++)
		for (size_t k = 0; k < m->board->series[i].run_count; k++) {
			uint32_t id = sp_names_id(&m->ids, m->board->series[i].runs[k].id);

			sp_grow(&m->places, &capacity, (size_t)id + 1, sizeof(*m->places));
			m->places[id] = (struct place){i, k};
		}
	m->known = m->ids.count;
}

/* Adds the runs of a command of the baseline, by series. */
static void add_runs(struct marking *m, const json_t *command, json_t **runs)
{
	const json_t *text;
	size_t i;

	json_array_foreach(json_object_get(command, "run_ids"), i, text)
	{
		uint32_t id = json_is_string(text) ? sp_names_id(&m->ids, json_string_value(text)) : UINT32_MAX;

		if (id >= m->known)
			continue; /* it is not on the page */
		if (!runs[m->places[id].series])
			runs[m->places[id].series] = json_array();
		json_array_append_new(runs[m->places[id].series], json_integer((json_int_t)m->places[id].run));
	}
}

static int mark(const struct sp_history_baseline *row, void *context)
{
	struct marking *m = context;
	const char *why;
	json_t *baseline = sp_baseline_parse(row->content, strlen(row->content), &why), *command;
	json_t **runs = sp_alloc(m->board->series_count + 1, sizeof(json_t *));
	size_t i;

	json_array_foreach(json_object_get(baseline, "commands"), i, command)
	{
		add_runs(m, command, runs);
	}
	for (i = 0; i < m->board->series_count; i++) {
		struct sp_board_series *series = &m->board->series[i];

		if (!runs[i])
			continue;
		if (!series->baselines)
			series->baselines = json_array();
		json_array_append_new(series->baselines,
			json_pack("{s:o, s:o, s:I, s:o}", "name", sp_json_text(sp_baseline_text(baseline, "name")),
				"because", sp_json_text(sp_baseline_text(baseline, "because")), "made",
				(json_int_t)(row->created_ns / 1000000000u), "runs", runs[i]));
	}
	free(runs);
	json_decref(baseline);
	return ++m->taken == BASELINES_MOST;
}

int sp_board_find_baselines(struct sp_board *board)
{
	struct marking m = {.board = board};
	int error;

	index_runs(&m);
	error = sp_history_baselines(board->store, &(struct sp_history_baseline_filter){0}, mark, &m);
	sp_names_free(&m.ids);
	free(m.places);
	return error < 0 ? error : 0;
}
