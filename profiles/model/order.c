/* Between stages 2 and 3 of the model: the order of paths in which neighbours have most in common. */
#include "profiles/model/order.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/model.h"

/* A function's frames stand together, and of those a file's. */
static int by_place(const void *a, const void *b, void *context)
{
	const struct sp_profile *p = context;
	const struct sp_profile_frame *x = &p->frames[*(const uint32_t *)a], *y = &p->frames[*(const uint32_t *)b];
	int files;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	files = x->file == y->file ? 0 : strcmp(x->file ? x->file : "", y->file ? y->file : "");
	if (files)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void sort_frames(struct sp_profile *p)
{
	p->by_place = sp_alloc(p->frame_count, sizeof(*p->by_place));
	for (size_t i = 0; i < p->frame_count; i++)
		p->by_place[i] = (uint32_t)i;
	if (p->frame_count)
		qsort_r(p->by_place, p->frame_count, sizeof(*p->by_place), by_place, p);
}

struct ranked {
	const struct sp_profile *profile;
	uint32_t *rank; /* of each frame in by_place[] */
};

/* Paths are stored leaf first, and compared from the root. */
static int compare(const void *context, uint32_t x, uint32_t y, uint32_t *shared)
{
	const struct ranked *r = context;
	const struct sp_path *a = &r->profile->paths[x], *b = &r->profile->paths[y];
	const uint32_t *ids = r->profile->frame_ids;
	size_t a_end = a->first + a->depth, b_end = b->first + b->depth;
	uint32_t least = a->depth < b->depth ? a->depth : b->depth, n = *shared;

	while (n < least && ids[a_end - 1 - n] == ids[b_end - 1 - n])
		n++;
	*shared = n;
	if (n < least)
		return r->rank[ids[a_end - 1 - n]] < r->rank[ids[b_end - 1 - n]] ? -1 : 1;
	return a->depth < b->depth ? -1 : a->depth > b->depth;
}

static void lay_out_tree(struct sp_profile *p, const struct sp_run *runs)
{
	size_t nodes = 0;

	for (size_t i = 0; i < p->path_count; i++)
		nodes += p->paths[runs[i].item].depth - runs[i].shared;
	p->order = sp_alloc(p->path_count, sizeof(*p->order));
	p->tree = sp_alloc(nodes, sizeof(*p->tree));
	for (size_t i = 0, node = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[runs[i].item];

		p->order[i] = (struct sp_ordered){runs[i].item, path->depth, runs[i].shared};
		for (uint32_t k = path->depth - runs[i].shared; k-- > 0;)
			p->tree[node++] = p->frame_ids[path->first + k];
	}
}

void sp_paths_sort(struct sp_profile *profile)
{
	struct ranked r = {profile, sp_alloc(profile->frame_count, sizeof(*r.rank))};
	struct sp_run *runs = sp_alloc(profile->path_count, sizeof(*runs));

	sort_frames(profile);
	for (size_t i = 0; i < profile->frame_count; i++)
		r.rank[profile->by_place[i]] = (uint32_t)i;
	for (size_t i = 0; i < profile->path_count; i++)
		runs[i].item = (uint32_t)i;
	sp_runs_sort(runs, profile->path_count, compare, &r);
	lay_out_tree(profile, runs);
	free(runs);
	free(r.rank);
}

#define PREFETCH 8u

bool sp_path_walk_next(struct sp_path_walk *walk, const struct sp_profile *profile,
	bool (*wanted)(const struct sp_profile *profile, size_t path))
{
	uint32_t shared = UINT32_MAX;

	while (walk->next < profile->path_count) {
		const struct sp_ordered *at = &profile->order[walk->next++];
		uint32_t count = at->depth - at->shared;

		if (walk->next + PREFETCH < profile->path_count)
			__builtin_prefetch(&profile->paths[at[PREFETCH].path].user_ns);
		sp_grow(&walk->frames, &walk->capacity, at->depth, sizeof(*walk->frames));
		memcpy(walk->frames + at->shared, profile->tree + walk->node, count * sizeof(*walk->frames));
		walk->node += count;
		shared = at->shared < shared ? at->shared : shared;
		if (!wanted(profile, at->path))
			continue;
		walk->path = &profile->paths[at->path];
		walk->index = at->path;
		walk->depth = at->depth;
		walk->shared = shared;
		return true;
	}
	free(walk->frames);
	walk->frames = NULL;
	return false;
}

bool sp_path_has_time(const struct sp_profile *profile, size_t path)
{
	return profile->paths[path].user_ns || profile->paths[path].sys_ns;
}
