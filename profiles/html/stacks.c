/* Stacks as the page has them: by function, front-coded, a value for each side. */
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/base/normal_name.h"
#include "profiles/export/export.h"
#include "profiles/html/page.h"
#include "profiles/model/heap.h"
#include "profiles/model/places.h"

enum { FUNCTION_PSEUDO = 1 }; /* PSEUDO in profiles/html/script/data.js */

/* Values of a row, the second side's behind those of the first. */
static const enum sp_path_weight_kind cpu_values[] = {SP_WEIGHT_USER_NS, SP_WEIGHT_CPU_SAMPLES};
static const enum sp_path_weight_kind heap_values[] = {
	SP_WEIGHT_INUSE_BYTES, SP_WEIGHT_PEAK_BYTES, SP_WEIGHT_ALLOC_BYTES, SP_WEIGHT_HEAP_SAMPLES};

#define CPU_VALUES (sizeof(cpu_values) / sizeof(cpu_values[0]))
#define HEAP_VALUES (sizeof(heap_values) / sizeof(heap_values[0]))
_Static_assert(SP_PAGE_SIDES *HEAP_VALUES <= SP_FOLDED_VALUES, "room for both sides");

static uint32_t function_of(struct sp_page_stacks *s, const struct sp_profile *p, const struct sp_function *f,
	bool normal)
{
	const char *path = f->module < p->module_count ? p->modules[f->module].path : "";
	struct sp_buffer name = {0}, module = {0}, file = {0};
	uint32_t *cell;
	int found;

	if (normal) {
		sp_normal_name(&name, f->name);
		sp_normal_module(&module, path, sp_profile_fact(p, "program"));
	}
	cell = sp_map_at(&s->index, sp_names_id(&s->names, normal && name.data ? name.data : f->name),
		sp_names_id(&s->modules, normal && module.data ? module.data : path), &found);
	if (!found) {
		*cell = (uint32_t)json_array_size(s->functions);
		json_array_append_new(s->functions,
			json_pack("[o, o, o, i, i]", sp_json_text(normal && name.data ? name.data : f->name),
				sp_json_text(normal && module.data ? module.data : path),
				sp_json_text(!f->file || normal ? f->file : sp_place_shown(&file, p, f->file)),
				f->file ? (int)f->line : 0, f->flags & SP_FUNCTION_PSEUDO ? FUNCTION_PSEUDO : 0));
	}
	sp_buffer_free(&name);
	sp_buffer_free(&module);
	sp_buffer_free(&file);
	return *cell;
}

static double value_of(const struct sp_path *path, enum sp_path_weight_kind weight)
{
	return (double)(sp_path_weight(path, weight) + (weight == SP_WEIGHT_USER_NS ? path->sys_ns : 0));
}

/* Samples are not scaled: they tell how sure the values are. */
static void add_values(double *values, const struct sp_path *path, const enum sp_path_weight_kind *weights,
	size_t count, double scale)
{
	for (size_t i = 0; i < count; i++)
		values[i] += value_of(path, weights[i]) * (i + 1 < count ? scale : 1);
}

uint32_t *sp_page_add(struct sp_page_stacks *s, const struct sp_profile *p, unsigned side, const double *scale,
	bool normal)
{
	uint32_t *numbers = sp_alloc(p->function_count, sizeof(*numbers));

	memset(numbers, 0xff, p->function_count * sizeof(*numbers));
	if (!s->functions)
		s->functions = json_array();
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		struct sp_folded *f = path->heap ? &s->heap : &s->cpu;
		struct sp_folded_row *row = sp_folded_add(f);

		if (path->heap)
			add_values(row->values + side * HEAP_VALUES, path, heap_values, HEAP_VALUES, scale[1]);
		else
			add_values(row->values + side * CPU_VALUES, path, cpu_values, CPU_VALUES, scale[0]);
		for (uint32_t k = path->depth, leaf = path->heap ? sp_path_site(p, path) : 0; k-- > leaf;) {
			uint32_t function = p->frames[p->frame_ids[path->first + k]].function;

			if (numbers[function] == UINT32_MAX)
				numbers[function] = function_of(s, p, &p->functions[function], normal);
			sp_folded_push(f, numbers[function]);
		}
	}
	return numbers;
}

/* [shared, [functions…], values…] */
static json_t *rows_json(struct sp_folded *f, size_t values)
{
	json_t *rows = json_array();

	sp_folded_merge(f);
	for (size_t i = 0; i < f->count; i++) {
		const struct sp_folded_row *row = &f->rows[i];
		json_t *item = json_array(), *rest = json_array();

		for (uint32_t k = row->shared; k < row->depth; k++)
			json_array_append_new(rest, json_integer(f->ids[row->first + k]));
		json_array_append_new(item, json_integer(row->shared));
		json_array_append_new(item, rest);
		for (size_t v = 0; v < values; v++)
			json_array_append_new(item, sp_json_count(sp_whole(row->values[v])));
		json_array_append_new(rows, item);
	}
	sp_folded_free(f);
	return rows;
}

void sp_page_stacks_put(struct sp_page_stacks *s, json_t *data, unsigned sides)
{
	json_object_set_new(data, "functions", s->functions ? s->functions : json_array());
	json_object_set_new(data, "cpu", rows_json(&s->cpu, (size_t)sides * CPU_VALUES));
	json_object_set_new(data, "heap", rows_json(&s->heap, (size_t)sides * HEAP_VALUES));
	sp_map_free(&s->index);
	sp_names_free(&s->names);
	sp_names_free(&s->modules);
}

json_t *sp_page_views(bool cpu, bool heap)
{
	json_t *views = json_array();

	for (enum sp_export_view v = 0; v < SP_VIEWS; v++)
		if (v == SP_VIEW_CPU ? cpu : heap)
			json_array_append_new(views,
				json_pack("{s:s, s:s, s:s, s:i}", "key", sp_view_info[v].key, "title",
					sp_view_info[v].title, "stacks", v == SP_VIEW_CPU ? "cpu" : "heap", "value",
					v == SP_VIEW_CPU ? 0 : (int)v - SP_VIEW_INUSE));
	return views;
}
