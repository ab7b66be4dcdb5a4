/* Folded stacks: merging them, and reading their front-coded text. */
#include "profiles/model/folded.h"

#include <stdlib.h>

#include "profiles/base/runs.h"
#include "profiles/model/heap.h"

struct sp_folded_row *sp_folded_add(struct sp_folded *f)
{
	sp_grow(&f->rows, &f->capacity, f->count + 1, sizeof(*f->rows));
	f->rows[f->count] = (struct sp_folded_row){.first = f->id_count};
	return &f->rows[f->count++];
}

void sp_folded_push(struct sp_folded *f, uint32_t id)
{
	sp_grow(&f->ids, &f->id_capacity, f->id_count + 1, sizeof(*f->ids));
	f->ids[f->id_count++] = id;
	f->rows[f->count - 1].depth++;
}

static int compare(const void *context, uint32_t x, uint32_t y, uint32_t *shared)
{
	const struct sp_folded *f = context;
	const struct sp_folded_row *a = &f->rows[x], *b = &f->rows[y];

	return sp_ids_compare(f->ids + a->first, a->depth, f->ids + b->first, b->depth, shared);
}

void sp_folded_merge(struct sp_folded *f)
{
	struct sp_run *order = sp_alloc(f->count, sizeof(*order));
	struct sp_folded_row *rows = sp_alloc(f->count, sizeof(*rows));
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++)
		order[i].item = (uint32_t)i;
	sp_runs_sort(order, f->count, compare, f);
	for (size_t i = 0; i < f->count; i++) {
		const struct sp_folded_row *row = &f->rows[order[i].item];

		if (!kept || order[i].shared < row->depth || order[i].shared < rows[kept - 1].depth) {
			rows[kept] = *row;
			rows[kept++].shared = order[i].shared;
			if (f->places)
				f->places[order[i].item] = (uint32_t)kept - 1;
			continue;
		}
		if (f->places)
			f->places[order[i].item] = (uint32_t)kept - 1;
		for (size_t v = 0; v < SP_FOLDED_VALUES; v++)
			rows[kept - 1].values[v] += row->values[v];
	}
	free(f->rows);
	free(order);
	f->rows = rows;
	f->capacity = f->count;
	f->count = kept;
}

void sp_folded_free(struct sp_folded *f)
{
	free(f->ids);
	free(f->rows);
	*f = (struct sp_folded){0};
}

uint64_t sp_path_weight(const struct sp_path *path, enum sp_path_weight_kind weight)
{
	switch (weight) {
	case SP_WEIGHT_USER_NS:
		return path->user_ns;
	case SP_WEIGHT_SYS_NS:
		return path->sys_ns;
	case SP_WEIGHT_CPU_SAMPLES:
		return path->samples;
	case SP_WEIGHT_ALLOC_BYTES:
		return path->alloc_bytes;
	case SP_WEIGHT_ALLOC_COUNT:
		return path->alloc_count;
	case SP_WEIGHT_INUSE_BYTES:
		return path->inuse_bytes;
	case SP_WEIGHT_INUSE_COUNT:
		return path->inuse_count;
	case SP_WEIGHT_PEAK_BYTES:
		return path->peak_bytes;
	case SP_WEIGHT_PEAK_COUNT:
		return path->peak_count;
	case SP_WEIGHT_HEAP_SAMPLES:
		return path->heap_samples;
	case SP_WEIGHT_WAIT_NS:
		return path->wait_ns;
	case SP_WEIGHT_WAIT_COUNT:
		return path->wait_count;
	case SP_WEIGHT_WAIT_SAMPLES:
		return path->wait_samples;
	default:
		return 0;
	}
}

const struct sp_weight_range sp_stack_weights[SP_STACK_KINDS] = {
	[SP_STACKS_CPU] = {0, SP_CPU_WEIGHTS},
	[SP_STACKS_HEAP] = {SP_CPU_WEIGHTS, SP_HEAP_WEIGHTS_END},
	[SP_STACKS_WAITS] = {SP_HEAP_WEIGHTS_END, SP_WEIGHTS},
};

bool sp_stacks_on(const struct sp_profile *p, enum sp_stack_kind kind)
{
	const bool on[] = {[SP_STACKS_CPU] = p->cpu_on,
		[SP_STACKS_HEAP] = p->heap_on,
		[SP_STACKS_WAITS] = p->waits_on,
		[SP_STACKS_WALL] = p->cpu_on && p->waits_on};

	return on[kind];
}

bool sp_path_weighs(const struct sp_path *path, enum sp_stack_kind kind)
{
	if (kind == SP_STACKS_WALL)
		return sp_path_weighs(path, SP_STACKS_CPU) || sp_path_weighs(path, SP_STACKS_WAITS);
	for (enum sp_path_weight_kind w = sp_stack_weights[kind].from; w < sp_stack_weights[kind].to; w++)
		if (sp_path_weight(path, w))
			return true;
	return false;
}

uint32_t sp_path_leaf(const struct sp_profile *profile, const struct sp_path *path)
{
	return path->kind == SP_STACKS_HEAP && path->depth ? sp_path_site(profile, path) : 0;
}

void sp_fold_frames(struct sp_folded *f, const struct sp_profile *profile, enum sp_stack_kind kind)
{
	for (size_t i = 0; i < profile->path_count; i++) {
		const struct sp_path *path = &profile->paths[i];
		struct sp_folded_row *row;

		if (!sp_path_weighs(path, kind))
			continue;
		row = sp_folded_add(f);
		for (enum sp_path_weight_kind w = 0; w < SP_WEIGHTS; w++)
			row->values[w] = (double)sp_path_weight(path, w);
		for (uint32_t k = path->depth, leaf = sp_path_leaf(profile, path); k-- > leaf;)
			sp_folded_push(f, profile->frame_ids[path->first + k]);
	}
}

void sp_fold_functions(struct sp_folded *f, const struct sp_profile *profile, enum sp_stack_kind kind)
{
	sp_fold_frames(f, profile, kind);
	for (size_t i = 0; i < f->id_count; i++)
		f->ids[i] = profile->frames[f->ids[i]].function;
	sp_folded_merge(f);
}
