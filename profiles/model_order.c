/* Between stages 2 and 3 of the model: the order of paths in which neighbours have most in common. */
#include "profiles/model.h"

#include <stdlib.h>
#include <string.h>

/* A function's frames stand together, and of those a file's. */
static int by_place(const void *a, const void *b, void *context)
{
	const struct sp_profile *p = context;
	const struct sp_frame *x = &p->frames[*(const uint32_t *)a], *y = &p->frames[*(const uint32_t *)b];
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

void sp_paths_sort(struct sp_profile *profile)
{
	struct ranked r = {profile, sp_alloc(profile->frame_count, sizeof(*r.rank))};

	sort_frames(profile);
	for (size_t i = 0; i < profile->frame_count; i++)
		r.rank[profile->by_place[i]] = (uint32_t)i;
	profile->order = sp_alloc(profile->path_count, sizeof(*profile->order));
	for (size_t i = 0; i < profile->path_count; i++)
		profile->order[i].item = (uint32_t)i;
	sp_runs_sort(profile->order, profile->path_count, compare, &r);
	free(r.rank);
}

bool sp_walk_next(struct sp_walk *walk, const struct sp_profile *profile,
	bool (*wanted)(const struct sp_profile *profile, size_t path))
{
	uint32_t shared = UINT32_MAX;

	while (walk->next < profile->path_count) {
		const struct sp_run *run = &profile->order[walk->next++];

		shared = run->shared < shared ? run->shared : shared;
		walk->path = run->item;
		if (!wanted(profile, run->item))
			continue;
		walk->shared = shared;
		return true;
	}
	return false;
}
