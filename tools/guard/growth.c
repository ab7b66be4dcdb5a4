/* What the heap grew by between two crossings, and what it held at the end, by site, for the report. */
#include <math.h>
#include <stdlib.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/model/heap.h"
#include "profiles/model/rank.h"
#include "profiles/spool/window.h"
#include "tools/guard/guard.h"
#include "tools/live.h"
#include "tools/tools.h"

#define ROWS 5u

static uint64_t by_growth(const struct sp_profile *p, size_t i)
{
	return p->sites[i].growth_bytes > 0 ? (uint64_t)p->sites[i].growth_bytes : 0;
}

static uint64_t by_inuse(const struct sp_profile *p, size_t i)
{
	return p->sites[i].inuse_bytes;
}

static void put_site(struct sp_buffer *out, const struct sp_profile *p, const struct sp_heap_site *s)
{
	sp_escape_name(out, SP_ESCAPE_CELL, p->functions[s->function].name);
	if (!s->file || !s->line)
		return;
	sp_buffer_puts(out, " (");
	sp_escape_name(out, SP_ESCAPE_CELL, s->file);
	sp_buffer_printf(out, ":%u)", s->line);
}

static void put_row(struct sp_buffer *out, const struct sp_profile *p, const struct sp_heap_site *s, double bytes,
	double error, double whole)
{
	sp_buffer_puts(out, "| ");
	sp_guard_put_megabytes(out, sp_whole(bytes));
	sp_buffer_puts(out, " | ");
	sp_guard_put_megabytes(out, sp_whole(error));
	sp_buffer_printf(out, " | %.0f %% | ", whole > 0 ? 100 * bytes / whole : 0);
	put_site(out, p, s);
	sp_buffer_puts(out, " |\n");
}

/* A crossing, or the end. */
struct moment {
	const char *name, *snapshot; /* the path of that, or of a spool; NULL: there is no such moment */
	time_t at;
	uint64_t memory;
};

static void put_moment(struct sp_buffer *out, const struct moment *m)
{
	char at[16] = "";
	struct tm tm;

	if (localtime_r(&m->at, &tm))
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	sp_buffer_printf(out, "%s (%s, ", m->name, at);
	sp_guard_put_megabytes(out, m->memory);
	sp_buffer_puts(out, ")");
}

/* What the process gained is more than what its heap did where memory comes from elsewhere, and less where the allocator had some
 * left: the share is of the larger. */
static double gained(const struct moment *a, const struct moment *b, const struct sp_profile *p)
{
	double process = (double)b->memory - (double)a->memory, heap = (double)p->growth_bytes;

	return process > heap ? process : heap;
}

static void put_between(struct sp_buffer *out, const struct moment *a, const struct moment *b,
	const struct sp_profile *p)
{
	size_t count;
	uint32_t *order = sp_rank(p->site_count, &count, by_growth, p);
	double whole = gained(a, b, p);

	sp_buffer_puts(out, "Between ");
	put_moment(out, a);
	sp_buffer_puts(out, " and ");
	put_moment(out, b);
	sp_buffer_puts(out, " the heap grew by ");
	sp_guard_put_megabytes(out, sp_whole((double)p->growth_bytes));
	sp_buffer_puts(out, " ± ");
	sp_guard_put_megabytes(out, sp_whole(sp_heap_growth_error(p)));
	sp_buffer_puts(out, ".");
	if (count && whole > 0) {
		const struct sp_heap_site *s = &p->sites[order[0]];

		sp_buffer_puts(out, " Of the ");
		sp_guard_put_megabytes(out, sp_whole(whole));
		sp_buffer_printf(out, " between %s and %s %.0f %% ± %.0f came from ", a->name, b->name,
			100 * (double)s->growth_bytes / whole,
			ceil(100 * sp_heap_error(s->growth_variance, s->growth_samples) / whole));
		put_site(out, p, s);
		sp_buffer_puts(out, ".\n\n| Growth | ± | Share | Site |\n|---:|---:|---:|:---|\n");
	} else {
		sp_buffer_puts(out, "\n");
	}
	for (size_t i = 0; i < count && i < ROWS && whole > 0; i++) {
		const struct sp_heap_site *s = &p->sites[order[i]];

		put_row(out, p, s, (double)s->growth_bytes, sp_heap_error(s->growth_variance, s->growth_samples),
			whole);
	}
	sp_buffer_puts(out, "\n");
	free(order);
}

static void put_pair(struct sp_buffer *out, const struct moment *a, const struct moment *b)
{
	struct sp_snapshot earlier = {0}, later = {0};
	struct sp_symbolizer_options symbols = {0};
	const char *why = "";

	sp_symbols_options(&symbols, false);
	if (sp_snapshot_load("guard", a->snapshot, &earlier) == 0 &&
		sp_snapshot_load("guard", b->snapshot, &later) == 0 && sp_window_take(&later, &earlier, &why) == 0) {
		struct sp_profile *p = sp_profile_from_snapshot(&later, &symbols, NULL, NULL);

		put_between(out, a, b, p);
		sp_profile_free(p);
	}
	sp_snapshot_free(&earlier);
	sp_snapshot_free(&later);
}

/* From `from` on: the first that crossed a threshold and did not only grow, and has a snapshot. Where there is none, the last one of
 * all, unless its death is a later one. */
static struct moment next_moment(const struct sp_guard_target *t, size_t *from, bool died)
{
	struct moment found = {0};
	bool first = false;

	for (; *from < t->event_count && !first; ++*from) {
		const struct sp_guard_event *e = &t->events[*from];

		if (!e->snapshot || (e->again && died))
			continue;
		found = (struct moment){sp_guard_rule_names[e->rule], e->snapshot, e->at.tv_sec, e->memory};
		first = !e->again;
	}
	return found;
}

void sp_guard_put_growth(struct sp_buffer *out, const struct sp_guard_target *t, const char *spool)
{
	const struct moment end = {"its death", spool, t->ended_at.tv_sec, sp_guard_memory(&t->facts)};
	size_t i = 0;
	struct moment before = next_moment(t, &i, spool), after;

	for (; before.snapshot; before = after) {
		after = next_moment(t, &i, spool);
		if (!after.snapshot && before.snapshot != spool)
			after = end;
		if (!after.snapshot || after.memory <= before.memory)
			continue;
		if (!out->length)
			sp_buffer_puts(out, "# Growth\n\n");
		put_pair(out, &before, &after);
	}
}

void sp_guard_put_held(struct sp_buffer *out, struct sp_snapshot *snapshot)
{
	struct sp_symbolizer_options symbols = {0};
	struct sp_profile *p;
	uint32_t *order;
	size_t count;
	double whole = 0;

	sp_symbols_options(&symbols, false);
	p = sp_profile_from_snapshot(snapshot, &symbols, NULL, NULL);
	order = sp_rank(p->site_count, &count, by_inuse, p);
	for (size_t i = 0; i < p->site_count; i++)
		whole += (double)p->sites[i].inuse_bytes;
	sp_buffer_puts(out, "# Heap at Its Death\n\nThe heap held ");
	sp_guard_put_megabytes(out, sp_whole(whole));
	sp_buffer_puts(out, " ± ");
	sp_guard_put_megabytes(out, sp_whole(sp_heap_inuse_error(p)));
	sp_buffer_puts(out, " in the moment in which it was killed.\n");
	if (count)
		sp_buffer_puts(out, "\n| In use | ± | Share | Site |\n|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < count && i < ROWS; i++) {
		const struct sp_heap_site *s = &p->sites[order[i]];

		put_row(out, p, s, (double)s->inuse_bytes, sp_heap_error(sp_inuse_variance(s), s->inuse_samples),
			whole);
	}
	sp_buffer_puts(out, "\n");
	free(order);
	sp_profile_free(p);
}
