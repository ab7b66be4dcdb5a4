/* smartprof top: what heap sites grew by, and what was allocated there. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/spool/window.h"
#include "tools/top/parts.h"

/* --- live allocations --------------------------------------------------------------------------- */

/* Sums of whole numbers: what was added is taken off again exactly. */
static void differ(struct sp_growth *growth, const struct sp_live *live, double variance, int sign)
{
	if (live->site >= SP_SITES_MAX || variance <= 0)
		return;
	growth[live->site].variance += sign * variance;
	growth[live->site].samples += (uint64_t)sign;
}

/* As sp_window_take: a sample that is there at both ends makes nothing uncertain, unless it stands for more now. It has kept
 * its place. sign: -1 takes it off. */
static void add_variance(struct sp_growth *growth, const struct sp_live *a, const struct sp_live *b, int sign)
{
	bool was = a && a->alive, is = b->alive;

	if (was && is && a->born_tsc == b->born_tsc && a->site == b->site && a->size == b->size) {
		differ(growth, b, fabs((double)b->variance - (double)a->variance), sign);
		return;
	}
	if (was)
		differ(growth, a, (double)a->variance, sign);
	if (is)
		differ(growth, b, (double)b->variance, sign);
}

/* Record 0 is nobody's. */
static void add_interval(struct sp_top *top)
{
	const struct sp_follow_table *t = &top->spool.live;
	const struct sp_live *list = t->list, *was = t->was;

	for (size_t k = 0; k < t->moved_count; k++)
		if (t->moved[k])
			add_variance(top->growth, &was[k], &list[t->moved[k]], 1);
}

static void clear_interval(struct sp_top *top)
{
	const struct sp_follow_table *t = &top->spool.live;
	const struct sp_live *list = t->list, *was = t->was;

	for (size_t k = 0; k < t->moved_count; k++) {
		uint32_t sites[] = {was[k].site, list[t->moved[k]].site};

		for (unsigned i = 0; i < 2; i++)
			if (sites[i] < SP_SITES_MAX)
				top->growth[sites[i]] = (struct sp_growth){0};
	}
}

/* --- the window --------------------------------------------------------------------------------- */

static void set_moved(struct sp_top_heap *heap, uint32_t site)
{
	if (heap->moved[site] & SP_TOP_ASKED)
		return;
	heap->moved[site] = SP_TOP_MOVED | SP_TOP_ASKED;
	sp_grow(&heap->asked, &heap->asked_capacity, heap->asked_count + 1, sizeof(*heap->asked));
	heap->asked[heap->asked_count++] = site;
}

void sp_top_take_heap(struct sp_top *top)
{
	const struct sp_follow_table *live = &top->spool.live, *sites = &top->spool.sites;
	const struct sp_live *list = live->list, *was = live->was;
	struct sp_top_heap *heap = &top->heap;

	for (size_t k = 0; k < live->moved_count; k++) {
		uint32_t place = live->moved[k];
		const struct sp_live *base = place < heap->live_count ? &heap->live[place] : NULL;

		if (!place)
			continue;
		add_variance(heap->growth, base, &was[k], -1);
		add_variance(heap->growth, base, &list[place], 1);
	}
	for (size_t k = 0; k < sites->moved_count; k++)
		set_moved(heap, sites->moved[k]);
}

static void *copy_of(const struct sp_follow_table *table, size_t size)
{
	void *copy = sp_alloc_bytes(table->count * size);

	if (table->count)
		memcpy(copy, table->list, table->count * size);
	return copy;
}

void sp_top_begin_heap(struct sp_top *top, bool whole)
{
	const struct sp_follow_table *live = &top->spool.live, *sites = &top->spool.sites;
	struct sp_top_heap *heap = &top->heap;

	sp_top_free_heap(top);
	heap->growth = sp_alloc(SP_SITES_MAX, sizeof(*heap->growth));
	heap->moved = sp_alloc(SP_SITES_MAX, sizeof(*heap->moved));
	top->growth = sp_alloc(SP_SITES_MAX, sizeof(*top->growth));
	if (!whole) {
		heap->sites = copy_of(sites, sizeof(*heap->sites));
		heap->live = copy_of(live, sizeof(*heap->live));
		heap->site_count = sites->count;
		heap->live_count = live->count;
		return;
	}
	for (size_t i = 1; i < live->count; i++)
		add_variance(heap->growth, NULL, (const struct sp_live *)live->list + i, 1);
	for (uint32_t i = 0; i < sites->count; i++)
		set_moved(heap, i);
}

void sp_top_free_heap(struct sp_top *top)
{
	struct sp_top_heap *heap = &top->heap;

	free(heap->sites);
	free(heap->live);
	free(heap->moved);
	free(heap->asked);
	free(heap->growth);
	free(top->growth);
	top->growth = NULL;
	*heap = (struct sp_top_heap){.sites = NULL};
}

/* --- sites -------------------------------------------------------------------------------------- */

/* Record 0 is that of the overflow, of which stack 0 is. */
static uint32_t stack_of(const struct sp_site *sites, size_t site)
{
	return site ? sites[site].stack : 0;
}

/* What happened at one since it was that; returns whether it is anything. */
static bool since(struct sp_site *is, struct sp_growth *growth, const struct sp_top *top, const struct sp_site *was,
	size_t i)
{
	const struct sp_site *sites = top->spool.sites.list;

	if (i >= top->spool.sites.count)
		return false;
	if (was && was->alloc_bytes == sites[i].alloc_bytes && was->free_bytes == sites[i].free_bytes)
		return false;
	if (stack_of(sites, i) >= SP_STACKS_MAX || (i && !sites[i].ready))
		return false;
	*is = sites[i];
	sp_window_site(is, was, growth);
	return growth->bytes || is->alloc_bytes;
}

static const struct sp_site *base_of(const struct sp_top *top, uint32_t site)
{
	return site < top->heap.site_count ? &top->heap.sites[site] : NULL;
}

static void make_known(struct sp_top *top)
{
	struct sp_top_heap *heap = &top->heap;
	uint32_t *unknown = sp_alloc(heap->asked_count + 1, sizeof(*unknown));
	struct sp_growth growth;
	struct sp_site is;
	const char *why;
	size_t count = 0;

	for (size_t k = 0; k < heap->asked_count; k++) {
		uint32_t i = heap->asked[k], number;
		struct sp_top_stack *stack;

		heap->moved[i] = SP_TOP_MOVED;
		if (!since(&is, &growth, top, base_of(top, i), i))
			continue;
		number = stack_of(top->spool.sites.list, i);
		sp_top_make_room(top, number);
		stack = &top->stacks[number];
		if (!stack->known)
			unknown[count++] = number;
		stack->known = true; /* asked for once, though several sites may say they are of it */
	}
	heap->asked_count = 0;
	if (count)
		sp_top_name(top, unknown, count, &why);
	free(unknown);
}

static void add_sum(struct sp_sum *sum, double bytes, double variance, double samples)
{
	sp_sum_add(sum, &(struct sp_sum){bytes, fmax(variance, 0), samples});
}

static void add_site(struct sp_top *top, uint32_t i, const struct sp_site *was, const struct sp_growth *live,
	unsigned grown, unsigned allocated)
{
	struct sp_top_item *item;
	struct sp_growth growth;
	struct sp_site is;
	uint32_t stack, site;

	if (!since(&is, &growth, top, was, i))
		return;
	stack = stack_of(top->spool.sites.list, i);
	site = stack < top->stack_capacity ? top->stacks[stack].site : 0;
	if (!site)
		return;
	item = &top->sites.list[site - 1];
	add_sum(&item->sums[grown], (double)growth.bytes, live[i].variance * SP_VARIANCE_UNIT, (double)live[i].samples);
	add_sum(&item->sums[allocated], (double)is.alloc_bytes, (double)(int64_t)is.variance_alloc * SP_VARIANCE_UNIT,
		(double)is.samples);
}

static void add_sites_now(struct sp_top *top)
{
	const struct sp_follow_table *t = &top->spool.sites;
	const struct sp_site *was = t->was;

	add_interval(top);
	for (size_t k = 0; k < t->moved_count; k++)
		add_site(top, t->moved[k], &was[k], top->growth, SP_TOP_GROWTH_NOW, SP_TOP_ALLOC_NOW);
	clear_interval(top);
}

static void add_sites(struct sp_top *top)
{
	const struct sp_top_heap *heap = &top->heap;

	for (uint32_t i = 0; i < top->spool.sites.count; i++)
		if (heap->moved[i])
			add_site(top, i, base_of(top, i), heap->growth, SP_TOP_GROWTH, SP_TOP_ALLOC);
}

static bool look_at_heap(struct sp_top *top)
{
	const char *why;

	if (top->spool.now.heap)
		return true;
	if (sp_follow_look_at_heap(&top->spool, &why) < 0)
		return false;
	sp_top_take_heap(top);
	return true;
}

void sp_top_add_heap(struct sp_top *top)
{
	top->wanted |= SP_FOLLOW_HEAP;
	if (top->sites_are_fresh || !top->spool.now.is.header.heap.on || !look_at_heap(top))
		return;
	top->sites_are_fresh = true;
	make_known(top);
	for (size_t i = 0; i < top->sites.count; i++)
		memset(top->sites.list[i].sums, 0, sizeof(top->sites.list[i].sums));
	if (top->state.interval_s > 0 && top->spool.was.heap)
		add_sites_now(top);
	add_sites(top);
}
