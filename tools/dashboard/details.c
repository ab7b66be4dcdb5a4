/* What the page tells of single runs: the newest of each series, and those beside changes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "tools/dashboard/board.h"

#define NEWEST 3u
#define DETAILS_MOST 90u
#define FUNCTIONS_MOST 12u
#define POINTS_MOST 150u

struct details {
	struct sp_names ids;
	json_t *list;
};

/* [name, module, unit, self] */
static json_t *functions_json(const struct sp_history_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->function_count && json_array_size(list) < FUNCTIONS_MOST; i++)
		if (run->functions[i].of == SP_HISTORY_CPU)
			json_array_append_new(list,
				json_pack("[o, o, s, o]", sp_json_text(run->functions[i].name),
					sp_json_text(run->functions[i].module), "cpu_ns",
					sp_json_number(round(run->functions[i].self))));
	return list;
}

/* So many points that the largest memory among them is that of all. */
static json_t *thinned(const json_t *points)
{
	size_t count = json_array_size(points), step = count / POINTS_MOST + 1;
	json_t *list = json_array();

	for (size_t i = 0; i < count; i += step) {
		size_t last = i + step < count ? i + step - 1 : count - 1, largest = last;
		json_t *point = json_copy(json_array_get(points, last));

		for (size_t k = i; k < last; k++)
			if (json_number_value(json_array_get(json_array_get(points, k), 2)) >
				json_number_value(json_array_get(json_array_get(points, largest), 2)))
				largest = k;
		if (largest != last)
			json_array_set(point, 2, json_array_get(json_array_get(points, largest), 2));
		json_array_append_new(list, point);
	}
	return list;
}

static bool is_point(const json_t *point)
{
	bool numbers = json_array_size(point) >= 4;

	for (size_t i = 0; numbers && i < 4; i++)
		numbers = json_is_number(json_array_get(point, i));
	return numbers;
}

static json_t *timeline_json(struct sp_history *store, const char *hash)
{
	json_t *whole, *points, *list = NULL;
	size_t bytes;
	void *text;
	bool fine;

	if (!*hash || sp_history_blob_read(store, hash, &text, &bytes) != 0)
		return json_array();
	whole = json_loadb(text, bytes, 0, NULL);
	points = json_object_get(whole, "points");
	fine = json_is_array(points);
	for (size_t i = 0; fine && i < json_array_size(points); i++)
		fine = is_point(json_array_get(points, i));
	list = fine ? thinned(points) : json_array();
	json_decref(whole);
	free(text);
	return list;
}

static void add_details(const struct sp_board *b, struct details *details, const struct sp_board_run *run)
{
	size_t known = details->ids.count;
	struct sp_history_run *whole;
	json_t *tags = json_array();

	if (known >= DETAILS_MOST || sp_names_id(&details->ids, run->id) < known ||
		sp_history_find(b->store, run->id, SP_HISTORY_ALL, &whole) != 0) {
		json_decref(tags);
		return;
	}
	for (size_t i = 0; i < whole->tag_count; i++)
		json_array_append_new(tags, sp_json_text(whole->tags[i]));
	json_array_append_new(details->list,
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "id", run->id, "command", sp_json_text(whole->command),
			"note", sp_json_text(whole->note), "tags", tags, "functions", functions_json(whole), "timeline",
			timeline_json(b->store, whole->blobs[SP_HISTORY_TIMELINE].hash)));
	sp_history_run_free(whole);
}

json_t *sp_board_details(struct sp_board *b)
{
	struct details details = {.list = json_array()};

	for (size_t back = 1; back <= NEWEST; back++)
		for (size_t i = 0; i < b->series_count; i++) {
			const struct sp_board_series *series = &b->series[i];

			if (back <= series->run_count)
				add_details(b, &details, &series->runs[series->run_count - back]);
			for (size_t k = 0; back == 1 && k < series->change_count; k++) {
				add_details(b, &details, &series->runs[series->changes[k].found.before]);
				add_details(b, &details, &series->runs[series->changes[k].found.after]);
			}
		}
	sp_names_free(&details.ids);
	return details.list;
}
