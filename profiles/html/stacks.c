/* Stacks as the page has them: by function, front-coded, a value for each side. */
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/base/normal_name.h"
#include "profiles/export/export.h"
#include "profiles/html/page.h"
#include "profiles/model/places.h"

enum { FUNCTION_PSEUDO = 1 }; /* PSEUDO in profiles/html/script/data.js */

/* Values of a row, the second side's behind those of the first. */
static const enum sp_path_weight_kind cpu_values[] = {SP_WEIGHT_USER_NS, SP_WEIGHT_CPU_SAMPLES};
static const enum sp_path_weight_kind heap_values[] = {
	SP_WEIGHT_INUSE_BYTES, SP_WEIGHT_PEAK_BYTES, SP_WEIGHT_ALLOC_BYTES, SP_WEIGHT_HEAP_SAMPLES};

static const enum sp_path_weight_kind wait_values[] = {SP_WEIGHT_WAIT_NS, SP_WEIGHT_WAIT_SAMPLES};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
_Static_assert(SP_PAGE_SIDES *COUNT(heap_values) <= SP_FOLDED_VALUES, "room for both sides");

/* By kind of stacks; "wall" has no rows of its own: the page puts those of CPU time and waits together. */
static const struct {
	const char *key;
	const enum sp_path_weight_kind *values;
	size_t count;
} kinds[] = {[SP_STACKS_CPU] = {"cpu", cpu_values, COUNT(cpu_values)},
	[SP_STACKS_HEAP] = {"heap", heap_values, COUNT(heap_values)},
	[SP_STACKS_WAITS] = {"waits", wait_values, COUNT(wait_values)},
	[SP_STACKS_WALL] = {"wall", NULL, 0}};

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
		struct sp_folded *f = &s->rows[path->kind];
		size_t count = kinds[path->kind].count;
		struct sp_folded_row *row = sp_folded_add(f);

		add_values(row->values + side * count, path, kinds[path->kind].values, count, scale[path->kind]);
		for (uint32_t k = path->depth, leaf = sp_path_leaf(p, path); k-- > leaf;) {
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
	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++)
		json_object_set_new(data, kinds[kind].key, rows_json(&s->rows[kind], sides * kinds[kind].count));
	sp_map_free(&s->index);
	sp_names_free(&s->names);
	sp_names_free(&s->modules);
}

/* Which of a row's values the view shows. */
static int value_place(enum sp_export_view view)
{
	enum sp_stack_kind kind = sp_view_info[view].stacks;
	size_t place = 0;

	while (place < kinds[kind].count && kinds[kind].values[place] != sp_view_info[view].weight)
		place++;
	return place < kinds[kind].count ? (int)place : 0;
}

json_t *sp_page_views(const bool *on)
{
	json_t *views = json_array();

	for (enum sp_export_view v = 0; v < SP_VIEWS; v++) {
		enum sp_stack_kind kind = sp_view_info[v].stacks;

		if (kind == SP_STACKS_WALL ? on[SP_STACKS_CPU] && on[SP_STACKS_WAITS] : on[kind])
			json_array_append_new(views,
				json_pack("{s:s, s:s, s:s, s:s, s:i}", "key", sp_view_info[v].key, "title",
					sp_view_info[v].title, "unit", sp_view_info[v].unit, "stacks", kinds[kind].key,
					"value", value_place(v)));
	}
	return views;
}
