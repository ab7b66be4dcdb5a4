/* Stacks of locations, and what spans say of them. */
#include "profiles/export/locations.h"

#include <stdlib.h>
#include <string.h>

static uint32_t location_of(struct sp_locations *l, const struct sp_profile *p, size_t first, size_t count)
{
	uint64_t node = 0;
	uint32_t *cell;
	int found;

	for (size_t i = first; i < first + count; i++) {
		cell = sp_map_at(&l->chains, node, p->frame_ids[i], &found);
		if (!found)
			*cell = (uint32_t)l->chains.used;
		node = *cell;
	}
	cell = sp_map_at(&l->ids, node, 0, &found);
	if (found)
		return *cell;
	*cell = (uint32_t)l->count;
	sp_grow(&l->list, &l->capacity, l->count + 1, sizeof(*l->list));
	l->list[l->count] = (struct sp_location){first, (uint32_t)count};
	return (uint32_t)l->count++;
}

void sp_locations_fold(struct sp_locations *l, struct sp_folded *f, const struct sp_profile *p, enum sp_stack_kind kind,
	uint32_t *rows)
{
	uint32_t *locations = NULL;
	size_t capacity = 0;

	if (!l->count) {
		sp_grow(&l->list, &l->capacity, 1, sizeof(*l->list));
		l->list[l->count++] = (struct sp_location){0, 0};
	}
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		struct sp_folded_row *row;
		size_t count = 0;

		if (rows)
			rows[i] = sp_path_weighs(path, kind) ? (uint32_t)f->count : SP_NO_ROW;
		if (!sp_path_weighs(path, kind))
			continue;
		row = sp_folded_add(f);
		for (enum sp_path_weight_kind weight = 0; weight < SP_WEIGHTS; weight++)
			row->values[weight] = (double)sp_path_weight(path, weight);
		sp_grow(&locations, &capacity, path->depth, sizeof(*locations));
		for (uint32_t from = sp_path_leaf(p, path), to; from < path->depth; from = to) {
			for (to = from + 1; to < path->depth && p->frames[p->frame_ids[path->first + to - 1]].inlined;)
				to++;
			locations[count++] = location_of(l, p, path->first + from, to - from);
		}
		while (count)
			sp_folded_push(f, locations[--count]);
	}
	free(locations);
	f->places = rows ? sp_alloc(f->count, sizeof(*f->places)) : NULL;
	sp_folded_merge(f);
	for (size_t i = 0; rows && i < p->path_count; i++)
		rows[i] = rows[i] == SP_NO_ROW ? SP_NO_ROW : f->places[rows[i]];
	free(f->places);
	f->places = NULL;
}

uint32_t sp_location_frame(const struct sp_locations *l, const struct sp_profile *p, uint32_t location)
{
	const struct sp_location *at = &l->list[location];

	return p->frame_ids[at->first + at->count - 1];
}

void sp_locations_free(struct sp_locations *l)
{
	sp_map_free(&l->chains);
	sp_map_free(&l->ids);
	free(l->list);
	*l = (struct sp_locations){0};
}

static uint32_t name_of_part(struct sp_names *names, const char *text, size_t length)
{
	char *part = sp_text("%.*s", (int)length, text);
	uint32_t id = sp_names_id(names, part);

	free(part);
	return id;
}

static void set_label(struct sp_sample_labels *labels, uint32_t key, uint32_t value)
{
	for (size_t i = 0; i < labels->count; i++)
		if (labels->list[i].key == key) {
			labels->list[i].value = value;
			return;
		}
	if (labels->count < SP_LABELS_MAX)
		labels->list[labels->count++] = (struct sp_sample_label){key, value};
}

/* name: "{request}" or "{kind=put}" */
static void add_name(struct sp_sample_labels *labels, struct sp_names *names, const char *name, struct sp_buffer *spans)
{
	size_t end = strlen(name);
	const char *equals = strchr(name, '=');

	end -= end > 1 && name[end - 1] == '}';
	if (equals && equals > name + 1) {
		size_t value = (size_t)(equals - name) + 1;

		set_label(labels, name_of_part(names, name + 1, value - 2),
			name_of_part(names, name + value, end > value ? end - value : 0));
	} else {
		sp_buffer_puts(spans, spans->length ? " › " : "");
		sp_buffer_add(spans, name + 1, end - 1);
	}
}

void sp_labels_find(struct sp_sample_labels *labels, struct sp_names *names, const struct sp_locations *l,
	const struct sp_profile *p, const struct sp_folded *f, const struct sp_folded_row *row)
{
	struct sp_buffer spans = {0};

	labels->count = 0;
	for (uint32_t k = 0; k < row->depth; k++) {
		uint32_t frame = sp_location_frame(l, p, f->ids[row->first + k]);
		const struct sp_function *function = &p->functions[p->frames[frame].function];

		if (!sp_function_is_span(function))
			break;
		add_name(labels, names, function->name, &spans);
	}
	if (spans.length)
		set_label(labels, sp_names_id(names, SP_LABEL_SPAN), sp_names_id(names, spans.data));
	sp_buffer_free(&spans);
}
