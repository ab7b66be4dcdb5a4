/* smartprof top: what threads wait for, by kind, and where. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/heap.h"
#include "profiles/model/waits.h"
#include "profiles/spool/waits.h"
#include "tools/top/parts.h"

/* --- kinds: exact */

static struct sp_wait_count waited(const struct sp_snapshot *threads, enum sp_wait_kind kind)
{
	struct sp_wait_count sum = {0};

	for (size_t i = 0; i < threads->thread_count; i++) {
		const struct sp_thread_record *t = &threads->threads[i];

		if (!i || t->state) {
			sum.ns += t->waits[kind].ns;
			sum.count += t->waits[kind].count;
		}
	}
	return sum;
}

static void add_kind(struct sp_top *top, enum sp_wait_kind kind)
{
	struct sp_wait_count now = waited(&top->threads_now, kind), all = waited(&top->threads, kind);
	double interval_s = top->state.interval_s;
	struct sp_top_row *row = sp_top_add_row(top);

	row->name = row->kind = sp_wait_kind_name(kind);
	if (interval_s > 0) {
		row->figures[0].value = (double)now.ns / 1e7 / interval_s;
		row->figures[1].value = (double)now.count / interval_s;
	}
	row->figures[2].value = (double)all.ns / 1e9;
	row->figures[3].value = (double)all.count;
}

/* --- places: estimates */

/* What was waited there since the moment; returns whether it is anything. */
static bool since(struct sp_wait_site *is, const struct sp_top *top, const struct sp_moment *from, size_t i)
{
	const struct sp_wait_site *now = &top->spool.now.is.wait_sites[i];

	if (!now->ready || !now->stack || now->stack >= SP_STACKS_MAX || now->call >= SP_WAIT_CALLS)
		return false;
	*is = *now;
	if (i < from->is.wait_site_count)
		sp_window_wait(is, &from->is.wait_sites[i]);
	return is->samples && is->ns;
}

static void make_known(struct sp_top *top)
{
	size_t sites = top->spool.now.is.wait_site_count, count = 0;
	uint32_t *unknown = sp_alloc(sites + 1, sizeof(*unknown));
	struct sp_wait_site is;
	const char *why;

	for (size_t i = 1; i < sites; i++) {
		if (!since(&is, top, &top->base, i))
			continue;
		sp_top_make_room(top, is.stack);
		if (!top->stacks[is.stack].known)
			unknown[count++] = is.stack;
		top->stacks[is.stack].known = true; /* asked for once, though there are several sites of it */
	}
	if (count)
		sp_top_name(top, unknown, count, &why);
	free(unknown);
}

/* Of a call in a place, to be made a row. */
struct place {
	uint32_t item, call;
	struct sp_sum now, all; /* nanoseconds */
};

struct places {
	struct place *list;
	size_t count, capacity;
	struct sp_map index;
};

static void add_sites(struct sp_top *top, const struct sp_moment *from, struct places *places, bool in_interval)
{
	struct sp_wait_site is;

	for (size_t i = 1; i < top->spool.now.is.wait_site_count; i++) {
		uint32_t *cell, site;
		int found;

		if (!since(&is, top, from, i))
			continue;
		site = is.stack < top->stack_capacity ? top->stacks[is.stack].site : 0;
		if (!site)
			continue;
		cell = sp_map_at(&places->index, site, is.call, &found);
		if (!found) {
			*cell = (uint32_t)places->count;
			sp_grow(&places->list, &places->capacity, places->count + 1, sizeof(*places->list));
			places->list[places->count++] = (struct place){.item = site - 1, .call = is.call};
		}
		sp_sum_add(in_interval ? &places->list[*cell].now : &places->list[*cell].all,
			&(struct sp_sum){
				(double)is.ns, fmax((double)(int64_t)is.variance_us2, 0) * 1e6, (double)is.samples});
	}
}

static struct sp_top_figure figure(const struct sp_sum *sum, double unit_ns)
{
	return (struct sp_top_figure){sum->weight / unit_ns, sp_heap_error(sum->sq, (uint64_t)sum->samples) / unit_ns};
}

static void add_place(struct sp_top *top, const struct place *place)
{
	const struct sp_top_item *item = &top->sites.list[place->item];
	struct sp_top_row *row = sp_top_add_item(top, item);

	row->kind = sp_wait_kind_name(sp_wait_kind_of((enum sp_wait_call)place->call));
	row->call = sp_wait_call_names[place->call];
	if (top->state.interval_s > 0)
		row->figures[0] = figure(&place->now, 1e7 * top->state.interval_s);
	row->figures[2] = figure(&place->all, 1e9);
}

void sp_top_add_waits(struct sp_top *top)
{
	struct places places = {0};
	const char *why;

	top->wanted |= SP_FOLLOW_WAITS;
	for (int kind = 0; kind < SP_WAIT_KINDS; kind++)
		add_kind(top, (enum sp_wait_kind)kind);
	if (sp_follow_look_at_waits(&top->spool, &why) < 0)
		return;
	make_known(top);
	if (top->state.interval_s > 0 && top->spool.was.waits)
		add_sites(top, &top->spool.was, &places, true);
	add_sites(top, &top->base, &places, false);
	for (size_t i = 0; i < places.count; i++)
		add_place(top, &places.list[i]);
	sp_map_free(&places.index);
	free(places.list);
}
