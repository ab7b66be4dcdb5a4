/* The lines a function was sampled in, and which of them are to be shown. */
#include <stdlib.h>
#include <string.h>

#include "profiles/model/source.h"

/* Lines above the first one that was sampled, where it is not known where the function begins. */
#define ABOVE 2u

struct hits {
	struct sp_source_hit *list;
	size_t count, capacity;
	struct sp_names files;
	struct sp_map index; /* from a line of a file to its hit */
	uint32_t *cells;     /* by frame: 1 + its hit */
	uint32_t *stamps;    /* by hit: 1 + the path that it counted in last */
	size_t stamp_capacity;
};

static size_t hit_of(struct hits *h, const struct sp_profile_frame *frame)
{
	int found;
	uint32_t *hit = sp_map_at(&h->index, sp_names_id(&h->files, frame->file), frame->line, &found);

	if (found)
		return *hit;
	*hit = (uint32_t)h->count;
	sp_grow(&h->list, &h->capacity, h->count + 1, sizeof(*h->list));
	sp_grow(&h->stamps, &h->stamp_capacity, h->count + 1, sizeof(*h->stamps));
	h->list[h->count] = (struct sp_source_hit){.file = frame->file, .line = frame->line};
	h->stamps[h->count] = 0;
	return h->count++;
}

static void add_path(struct hits *h, const struct sp_profile *p, uint32_t function, size_t index)
{
	const struct sp_path *path = &p->paths[index];
	uint64_t ns = path->user_ns + path->sys_ns;

	for (uint32_t k = 0; k < path->depth; k++) {
		uint32_t id = p->frame_ids[path->first + k];
		const struct sp_profile_frame *frame = &p->frames[id];
		struct sp_source_hit *hit;

		if (frame->function != function || !frame->file || !frame->line)
			continue;
		if (!h->cells[id])
			h->cells[id] = (uint32_t)hit_of(h, frame) + 1;
		hit = &h->list[h->cells[id] - 1];
		hit->self_ns += k ? 0 : ns;
		if (h->stamps[h->cells[id] - 1] != (uint32_t)index + 1)
			hit->total_ns += ns;
		h->stamps[h->cells[id] - 1] = (uint32_t)index + 1;
	}
}

static const char *main_file(const struct sp_source_hit *hits, size_t count)
{
	const struct sp_source_hit *most = NULL;

	for (size_t i = 0; i < count; i++)
		if (!most || hits[i].total_ns > most->total_ns)
			most = &hits[i];
	return most ? most->file : "";
}

static int by_place(const void *a, const void *b, void *first)
{
	const struct sp_source_hit *x = a, *y = b;
	int x_other = strcmp(x->file, first) != 0, y_other = strcmp(y->file, first) != 0,
	    files = strcmp(x->file, y->file);

	if (x_other != y_other)
		return x_other - y_other;
	if (files)
		return files;
	return x->line < y->line ? -1 : x->line > y->line;
}

struct sp_source_hit *sp_source_hits(const struct sp_profile *p, uint32_t function, size_t *count)
{
	struct hits h = {.cells = sp_alloc(p->frame_count, sizeof(*h.cells))};

	for (size_t i = 0; i < p->path_count; i++)
		if (p->paths[i].kind == SP_STACKS_CPU)
			add_path(&h, p, function, i);
	sp_names_free(&h.files);
	sp_map_free(&h.index);
	free(h.cells);
	free(h.stamps);
	if (h.count)
		qsort_r(h.list, h.count, sizeof(*h.list), by_place, (void *)(uintptr_t)main_file(h.list, h.count));
	*count = h.count;
	return h.list;
}

struct sp_source_range sp_source_range(struct sp_sources *source, const struct sp_profile *profile, uint32_t function,
	const struct sp_source_hit *hits, size_t count)
{
	const struct sp_function *f = &profile->functions[function];
	struct sp_source_range range = {0};
	size_t last = 0;

	while (last + 1 < count && strcmp(hits[last + 1].file, hits[0].file) == 0)
		last++;
	if (!count)
		return range;
	range.first = hits[0].line > ABOVE ? hits[0].line - ABOVE : 1;
	if (f->file && f->line && f->line <= hits[0].line && strcmp(f->file, hits[0].file) == 0)
		range.first = f->line;
	range.last = sp_source_end(source, f->module, hits[0].file, range.first, hits[last].line);
	if (range.last - range.first >= SP_SOURCE_LINES_MAX)
		range.last = range.first + SP_SOURCE_LINES_MAX - 1;
	return range;
}
