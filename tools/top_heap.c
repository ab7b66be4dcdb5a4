/* smartprof top: what heap sites grew by, and what was allocated there. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/spool/window.h"
#include "tools/top_parts.h"

/* A record in use, or NULL. */
static const struct sp_live *live_at(const struct sp_snapshot *s, size_t i)
{
	return i < s->live_count && s->live[i].alive ? &s->live[i] : NULL;
}

static void differ(struct sp_growth *growth, size_t site_count, const struct sp_live *live, double variance)
{
	if (!live || live->site >= site_count || variance <= 0)
		return;
	growth[live->site].variance += variance;
	growth[live->site].samples++;
}

/* As sp_window_take: a sample that is there at both ends makes nothing uncertain, unless it stands for more now. It has kept
 * its place. */
static void add_variances(struct sp_growth *growth, const struct sp_snapshot *now, const struct sp_snapshot *was)
{
	size_t count = now->live_count > was->live_count ? now->live_count : was->live_count;

	for (size_t i = 1; i < count; i++) {
		const struct sp_live *a = live_at(was, i), *b = live_at(now, i);
		bool same = a && b && a->born_tsc == b->born_tsc && a->site == b->site && a->size == b->size;

		if (same) {
			differ(growth, now->site_count, b, fabs((double)b->variance - (double)a->variance));
		} else {
			differ(growth, now->site_count, a, a ? (double)a->variance : 0);
			differ(growth, now->site_count, b, b ? (double)b->variance : 0);
		}
	}
}

/* Record 0 is that of the overflow, of which stack 0 is. */
static uint32_t stack_of(const struct sp_snapshot *now, size_t site)
{
	return site ? now->sites[site].stack : 0;
}

/* What happened at each since the moment; returns whether it is anything. */
static bool since(struct sp_site *is, struct sp_growth *growth, const struct sp_top *top, const struct sp_moment *from,
	size_t i)
{
	const struct sp_snapshot *now = &top->spool.now.is;
	const struct sp_site *was = i < from->is.site_count ? &from->is.sites[i] : NULL;

	if (was && was->alloc_bytes == now->sites[i].alloc_bytes && was->free_bytes == now->sites[i].free_bytes)
		return false;
	if (stack_of(now, i) >= SP_STACKS_MAX || (i && !now->sites[i].ready))
		return false;
	*is = now->sites[i];
	sp_window_site(is, was, growth);
	return growth->bytes || is->alloc_bytes;
}

static void add_sum(struct sp_sum *sum, double bytes, double variance, double samples)
{
	sp_sum_add(sum, &(struct sp_sum){bytes, fmax(variance, 0), samples});
}

static void make_known(struct sp_top *top)
{
	const struct sp_snapshot *now = &top->spool.now.is;
	uint32_t *unknown = sp_alloc(now->site_count + 1, sizeof(*unknown));
	struct sp_growth growth;
	struct sp_site is;
	const char *why;
	size_t count = 0;

	for (size_t i = 0; i < now->site_count; i++) {
		struct sp_top_stack *stack;

		if (!since(&is, &growth, top, &top->base, i))
			continue;
		sp_top_make_room(top, stack_of(now, i));
		stack = &top->stacks[stack_of(now, i)];
		if (!stack->known)
			unknown[count++] = stack_of(now, i);
		stack->known = true; /* asked for once, though several sites may say they are of it */
	}
	if (count)
		sp_top_name(top, unknown, count, &why);
	free(unknown);
}

static void add_sites(struct sp_top *top, const struct sp_moment *from, unsigned grown, unsigned allocated)
{
	const struct sp_snapshot *now = &top->spool.now.is;
	struct sp_growth growth;
	struct sp_site is;

	sp_grow(&top->growth, &top->growth_capacity, now->site_count + 1, sizeof(*top->growth));
	memset(top->growth, 0, (now->site_count + 1) * sizeof(*top->growth));
	add_variances(top->growth, now, &from->is);
	for (size_t i = 0; i < now->site_count; i++) {
		struct sp_top_item *item;
		uint32_t site;

		if (!since(&is, &growth, top, from, i))
			continue;
		site = stack_of(now, i) < top->stack_capacity ? top->stacks[stack_of(now, i)].site : 0;
		if (!site)
			continue;
		item = &top->sites.list[site - 1];
		add_sum(&item->sums[grown], (double)growth.bytes, top->growth[i].variance * SP_VARIANCE_UNIT,
			(double)top->growth[i].samples);
		add_sum(&item->sums[allocated], (double)is.alloc_bytes,
			(double)(int64_t)is.variance_alloc * SP_VARIANCE_UNIT, (double)is.samples);
	}
}

void sp_top_add_heap(struct sp_top *top)
{
	const char *why;

	top->wanted |= SP_FOLLOW_HEAP;
	if (top->sites_are_fresh || !top->spool.now.is.header.heap.on || sp_follow_look_at_heap(&top->spool, &why) < 0)
		return;
	top->sites_are_fresh = true;
	make_known(top);
	for (size_t i = 0; i < top->sites.count; i++)
		memset(top->sites.list[i].sums, 0, sizeof(top->sites.list[i].sums));
	if (top->state.interval_s > 0 && top->spool.was.heap)
		add_sites(top, &top->spool.was, SP_TOP_GROWTH_NOW, SP_TOP_ALLOC_NOW);
	add_sites(top, &top->base, SP_TOP_GROWTH, SP_TOP_ALLOC);
}
