/* What the heap grew by in a window: a sentence of the verdict, and `## Heap Growth`. */
#include "profiles/markdown/writer.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/model/heap.h"
#include "profiles/model/rank.h"

#define MINUTE_NS 60e9

static uint64_t size_of(int64_t bytes)
{
	return bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
}

void sp_put_growth(struct sp_buffer *out, double bytes)
{
	sp_buffer_puts(out, bytes < 0 ? "-" : bytes > 0 ? "+" : "");
	sp_put_size(out, sp_whole(fabs(bytes)));
}

static double a_minute(const struct sp_profile *p, double bytes)
{
	return p->wall_ns ? bytes * MINUTE_NS / (double)p->wall_ns : 0;
}

static uint64_t rank_growth(const struct sp_profile *p, size_t i)
{
	return size_of(p->sites[i].growth_bytes);
}

static double site_error(const struct sp_heap_site *s)
{
	return sp_heap_error(s->growth_variance, s->growth_samples);
}

static bool is_rough(const struct sp_heap_site *s)
{
	return sp_heap_is_rough(size_of(s->growth_bytes), site_error(s), s->growth_samples);
}

static void put_error(struct sp_writer *w, const struct sp_heap_site *s)
{
	if (is_rough(s))
		sp_put_rough(&w->out, s->growth_samples);
	else
		sp_put_size(&w->out, sp_whole(site_error(s)));
}

static void put_place(struct sp_writer *w, const struct sp_heap_site *s)
{
	const struct sp_profile *p = w->profile;

	if (s->file)
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, s->file, s->line);
	else
		sp_put_function_location(&w->out, SP_ESCAPE_CELL, p, &p->functions[s->function]);
}

static void write_row(struct sp_writer *w, const struct sp_heap_site *s)
{
	const struct sp_profile *p = w->profile;
	const struct sp_function *f = &p->functions[s->function];

	sp_buffer_puts(&w->out, "| ");
	sp_put_growth(&w->out, (double)s->growth_bytes);
	sp_buffer_puts(&w->out, " | ");
	put_error(w, s);
	sp_buffer_puts(&w->out, " | ");
	sp_put_growth(&w->out, a_minute(p, (double)s->growth_bytes));
	sp_buffer_printf(&w->out, " | %+lld | ", (long long)s->growth_count);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	sp_buffer_puts(&w->out, " | ");
	put_place(w, s);
	sp_buffer_puts(&w->out, " | ");
	sp_put_module(&w->out, SP_ESCAPE_CELL, p, f->module);
	sp_buffer_puts(&w->out, " |\n");
}

static void put_total(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	double error = sp_heap_growth_error(p), bytes = (double)p->growth_bytes;

	sp_put_growth(&w->out, bytes);
	sp_buffer_puts(&w->out, " ± ");
	sp_put_size(&w->out, sp_whole(error));
	sp_buffer_puts(&w->out, ", ");
	sp_put_growth(&w->out, a_minute(p, bytes));
	sp_buffer_puts(&w->out, " ± ");
	sp_put_size(&w->out, sp_whole(a_minute(p, error)));
	sp_buffer_puts(&w->out, " a minute");
	if (error >= fabs(bytes))
		sp_buffer_puts(&w->out, " (no more than chance can do)");
}

/* Of what was gained, how much is from the site that gained most. */
static void write_share(struct sp_writer *w, const struct sp_heap_site *s)
{
	const struct sp_profile *p = w->profile;
	double gained = (double)p->growth_bytes;

	if (s->growth_bytes <= 0 || is_rough(s) || sp_heap_growth_error(p) >= gained)
		return;
	sp_buffer_printf(&w->out, "; %.0f %% ± %.0f of that is from ", 100 * (double)s->growth_bytes / gained,
		100 * site_error(s) / gained);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[s->function].name);
	if (s->file && s->line) {
		sp_buffer_puts(&w->out, " (");
		put_place(w, s);
		sp_buffer_puts(&w->out, ")");
	}
}

void sp_write_growth_verdict(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count;
	uint32_t *order = sp_rank(p->site_count, &count, rank_growth, p);

	sp_buffer_puts(&w->out, "What the heap held changed by ");
	put_total(w);
	if (count)
		write_share(w, &p->sites[order[0]]);
	sp_buffer_puts(&w->out, ". In the window ");
	sp_put_size(&w->out, p->heap_allocated_bytes);
	sp_buffer_puts(&w->out, " were allocated. ");
	free(order);
}

void sp_write_growth(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	uint32_t *order = sp_rank(p->site_count, &count, rank_growth, p);

	shown = count < w->limits.sites ? count : w->limits.sites;
	sp_buffer_puts(&w->out,
		"## Heap Growth\n\nGrowth is what was in use at the end of the window minus what was in use at its "
		"beginning: ");
	put_total(w);
	sp_buffer_puts(&w->out,
		". The tables below show only what was allocated in the window.\n\n"
		"| Growth | ± | a minute | Count | Function | Location | Module |\n"
		"|---:|---:|---:|---:|:---|:---|:---|\n");
	for (size_t i = 0; i < shown; i++)
		write_row(w, &p->sites[order[i]]);
	sp_put_cut(&w->out, shown, count, "sites", "All heap sites");
	sp_buffer_puts(&w->out, "\n");
	free(order);
}
