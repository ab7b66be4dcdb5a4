/* Stage 6 of the model: marks, and what the heap grew by between them. */
#include "profiles/model/marks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/heap.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/window.h"

#define Z95 1.96

/* What a function's sites grew by together. */
struct place {
	uint32_t function;
	struct sp_growth growth;
};

static void add_growth(struct sp_growth *to, const struct sp_growth *more)
{
	to->bytes = (int64_t)((uint64_t)to->bytes + (uint64_t)more->bytes);
	to->variance += more->variance * SP_VARIANCE_UNIT;
	to->samples += more->samples;
}

static void add_place(struct place *places, size_t *count, struct sp_map *index, uint32_t function,
	const struct sp_growth *growth)
{
	int found;
	uint32_t *cell = sp_map_at(index, function, 0, &found);

	if (!found) {
		*cell = (uint32_t)*count;
		places[(*count)++] = (struct place){.function = function};
	}
	add_growth(&places[*cell].growth, growth);
}

/* Below the interval there may be blocks without a sample. */
static double total_error(double variance, const struct sp_heap_totals *heap)
{
	double interval = (double)heap->interval_bytes;

	return Z95 * sqrt(variance + interval * interval);
}

static void take_most(struct sp_mark_info *info, const struct place *places, size_t count)
{
	const struct place *most = NULL;

	for (size_t i = 0; i < count; i++)
		if (places[i].growth.bytes > 0 && (!most || places[i].growth.bytes > most->growth.bytes))
			most = &places[i];
	if (!most)
		return;
	info->most_bytes = most->growth.bytes;
	info->most_error = sp_heap_error(most->growth.variance, most->growth.samples);
	if (!sp_heap_is_rough((uint64_t)most->growth.bytes, info->most_error, most->growth.samples))
		info->function = most->function;
}

/* window: what was between the mark and the one before. */
static void measure(struct sp_profile *p, struct sp_mark_info *info, const struct sp_snapshot *window,
	const uint32_t *site_frame)
{
	struct place *places = sp_alloc(window->site_count + 1, sizeof(*places));
	struct sp_growth total = {0};
	struct sp_map index = {0};
	size_t count = 0;

	for (size_t i = 0; i < window->site_count; i++) {
		const struct sp_growth *growth = &window->growth[i];
		uint32_t stack = i ? window->sites[i].stack : 0;

		if (stack >= p->path_count || (!growth->bytes && growth->variance <= 0))
			continue;
		add_growth(&total, growth);
		add_place(places, &count, &index, p->frames[site_frame[stack]].function, growth);
	}
	info->growth_bytes = total.bytes;
	info->growth_error = total_error(total.variance, &info->mark->heap);
	take_most(info, places, count);
	sp_map_free(&index);
	free(places);
}

static double inuse_variance(const struct sp_snapshot *at)
{
	double variance = 0;

	for (size_t i = 0; i < at->site_count; i++)
		if ((int64_t)at->sites[i].variance_inuse > 0)
			variance += (double)at->sites[i].variance_inuse * SP_VARIANCE_UNIT;
	return variance;
}

static void add_mark(struct sp_profile *p, const struct sp_mark *mark, struct sp_snapshot *before,
	const uint32_t *site_frame)
{
	struct sp_mark_info *info = &p->marks[p->mark_count++];
	struct sp_snapshot at, window;
	char label[SP_MARK_LABEL_BYTES];
	const char *why;

	sp_mark_label(p->snapshot, mark, label);
	*info = (struct sp_mark_info){
		.label = sp_pool_copy(&p->pool, label, strlen(label)), .mark = mark, .function = UINT32_MAX};
	if (!p->heap_on)
		return;
	sp_snapshot_copy(&at, p->snapshot);
	sp_mark_rewind(&at, &at.marks[mark - p->snapshot->marks]);
	info->inuse_error = total_error(inuse_variance(&at), &mark->heap);
	sp_snapshot_copy(&window, &at);
	if (sp_window_take(&window, before, &why) == 0)
		measure(p, info, &window, site_frame);
	sp_snapshot_free(&window);
	sp_snapshot_free(before);
	*before = at;
}

/* The snapshot of before anything had happened. */
static void make_empty(struct sp_snapshot *s)
{
	s->header.now_ns = s->taken_ns = 0;
	s->header.heap = (struct sp_heap_totals){0};
	s->header.cpu = (struct sp_cpu_totals){0};
	s->thread_count = s->stack_count = s->site_count = s->timeline_count = s->log_count = s->live_count = 0;
	s->mark_count = 0;
}

void sp_marks_add_up(struct sp_profile *p, const uint32_t *site_frame)
{
	struct sp_snapshot before = {0};

	if (!p->snapshot->mark_count)
		return;
	p->marks = sp_alloc(p->snapshot->mark_count, sizeof(*p->marks));
	if (p->heap_on) {
		sp_snapshot_copy(&before, p->snapshot);
		make_empty(&before);
	}
	for (size_t i = 0; i < p->snapshot->mark_count; i++)
		add_mark(p, &p->snapshot->marks[i], &before, site_frame);
	sp_snapshot_free(&before);
}
