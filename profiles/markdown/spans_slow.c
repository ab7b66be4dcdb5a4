/* Below `# Spans`: what spans are made of, and what slow ones have that others have not. */
#include <math.h>
#include <stdlib.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/spans.h"
#include "profiles/model/waits.h"

/* --- parts ---------------------------------------------------------------------------------------- */

static void put_part(struct sp_writer *w, const struct sp_span_info *span, const struct sp_span_part *part, bool heap)
{
	const struct sp_profile *p = w->profile;
	const struct sp_function *f = &p->functions[part->function];
	uint64_t whole = heap ? span->bytes : span->cpu_ns;

	sp_buffer_puts(&w->out, "| ");
	sp_put_span_name(w, span);
	sp_buffer_puts(&w->out, heap ? " | allocated | " : " | CPU | ");
	sp_buffer_printf(&w->out, "%.1f%% | ", fmin(sp_percent(sp_whole(part->amount), whole), 100));
	(heap ? sp_put_size : sp_put_duration)(&w->out, sp_whole(part->amount));
	sp_buffer_puts(&w->out, " | ");
	(heap ? sp_put_size : sp_put_duration)(&w->out, sp_whole(part->error));
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	sp_buffer_puts(&w->out, " | ");
	sp_put_function_location(&w->out, SP_ESCAPE_CELL, p, f);
	sp_buffer_puts(&w->out, " | ");
	sp_put_module(&w->out, SP_ESCAPE_CELL, p, f->module);
	sp_buffer_puts(&w->out, " |\n");
}

void sp_write_span_parts(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const size_t begin = w->out.length;
	size_t shown = 0, rows = w->limits.detail_rows;

	sp_buffer_puts(&w->out,
		"## Parts of Spans\n\nFunctions that used most CPU time in a span, spans inside included, and those "
		"that "
		"allocated most.\n\n"
		"| Span | Of | % | Amount | ± | Function | Location | Module |\n"
		"|:---|:---|---:|---:|---:|:---|:---|:---|\n");
	for (size_t i = 0; i < p->span_count && shown < w->limits.details; i++) {
		const struct sp_span_info *span = &p->spans[i];

		if (span->left_out)
			continue;
		for (size_t k = 0; k < span->hot_count && k < rows; k++)
			put_part(w, span, &span->hot[k], false);
		for (size_t k = 0; k < span->site_count && k < rows && span->kind == SP_SPAN_PLAIN; k++)
			put_part(w, span, &span->sites[k], true);
		shown += span->hot_count || span->site_count;
	}
	if (!shown)
		w->out.length = begin;
	else
		sp_buffer_puts(&w->out, "\n");
}

/* --- slow ones ------------------------------------------------------------------------------------ */

typedef void put_amount(struct sp_buffer *out, uint64_t amount);

static void put_number(struct sp_buffer *out, uint64_t number)
{
	sp_buffer_printf(out, "%llu", (unsigned long long)number);
}

/* "3.9 ms ± 0.4 ms (+38 % ± 9)" */
static void put_extra(struct sp_writer *w, const struct sp_span_extra *e, put_amount *put)
{
	put(&w->out, sp_whole(e->amount));
	sp_buffer_puts(&w->out, " ± ");
	put(&w->out, sp_whole(e->error));
	if (e->share > 0 && e->share_error < e->share)
		sp_buffer_printf(&w->out, " (+%.0f %% ± %.0f)", 100 * e->share, 100 * e->share_error);
}

static bool is_more(const struct sp_span_extra *e)
{
	return e->error > 0 && e->amount > e->error;
}

static void put_functions(struct sp_writer *w, const struct sp_slow_spans *s)
{
	for (unsigned i = 0; i < s->function_count; i++) {
		sp_buffer_puts(&w->out, i ? ", " : "  - they spend ");
		put_extra(w, &s->functions[i], sp_put_duration);
		sp_buffer_puts(&w->out, " more in ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, w->profile->functions[s->functions[i].function].name);
		if (s->time.amount > 0)
			sp_buffer_printf(&w->out, ", %.0f %% of what they take longer",
				fmin(100 * s->functions[i].amount / s->time.amount, 100));
	}
	if (s->function_count)
		sp_buffer_puts(&w->out, "\n");
}

/* "pwrite (flush_log)", or "pthread_mutex_lock of log_lock (flush_log)" */
static void put_waited_in(struct sp_writer *w, const struct sp_span_extra *e)
{
	const struct sp_lock_info *lock = sp_waits_lock(w->profile->waits, e->lock);

	sp_escape_name(&w->out, SP_ESCAPE_CELL, sp_wait_call_names[e->call]);
	if (lock && sp_wait_kind_of((enum sp_wait_call)e->call) == SP_WAIT_LOCK) {
		sp_buffer_puts(&w->out, " of ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, lock->name);
	}
	sp_buffer_puts(&w->out, " (");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, w->profile->functions[e->function].name);
	sp_buffer_puts(&w->out, ")");
}

static void put_waits(struct sp_writer *w, const struct sp_slow_spans *s)
{
	for (unsigned i = 0; i < s->wait_count; i++) {
		sp_buffer_puts(&w->out, i ? ", " : "  - they wait ");
		put_extra(w, &s->waits[i], sp_put_duration);
		sp_buffer_puts(&w->out, " more in ");
		put_waited_in(w, &s->waits[i]);
		if (s->time.amount > 0)
			sp_buffer_printf(&w->out, ", %.0f %% of what they take longer",
				fmin(100 * s->waits[i].amount / s->time.amount, 100));
	}
	if (s->wait_count)
		sp_buffer_puts(&w->out, "\n");
}

static void put_counts(struct sp_writer *w, const struct sp_slow_spans *s)
{
	if (is_more(&s->wait) && s->wait.amount > s->time.amount / 20) {
		sp_buffer_puts(&w->out, "  - they wait ");
		put_extra(w, &s->wait, sp_put_duration);
		sp_buffer_puts(&w->out, " longer, off the CPU\n");
	}
	if (is_more(&s->bytes)) {
		sp_buffer_puts(&w->out, "  - they allocate ");
		put_extra(w, &s->bytes, sp_put_size);
		sp_buffer_puts(&w->out, " more");
		for (unsigned i = 0; i < s->site_count; i++) {
			sp_buffer_puts(&w->out, i ? ", " : ", by samples ");
			put_extra(w, &s->sites[i], sp_put_size);
			sp_buffer_puts(&w->out, " in ");
			sp_escape_name(&w->out, SP_ESCAPE_CELL, w->profile->functions[s->sites[i].function].name);
		}
		sp_buffer_puts(&w->out, "\n");
	}
	if (is_more(&s->faults)) {
		sp_buffer_puts(&w->out, "  - they have ");
		put_extra(w, &s->faults, put_number);
		sp_buffer_puts(&w->out, " page faults more\n");
	}
}

#define ENOUGH_SAMPLES 50u
#define ENOUGH_SPANS 20u

/* When nothing is beyond doubt: what would tell more. */
static void put_missing(struct sp_writer *w, const struct sp_slow_spans *s)
{
	if (s->lost)
		sp_buffer_puts(&w->out, "  - there was no room for all that was sampled in slow ones\n");
	else if (s->function_count || s->wait_count || is_more(&s->wait) || is_more(&s->bytes) || is_more(&s->faults))
		return;
	else if (s->samples < ENOUGH_SAMPLES || s->count < ENOUGH_SPANS)
		sp_buffer_printf(&w->out,
			"  - not enough is known to tell why: %llu samples of CPU time were taken in them; a longer "
			"run, or more "
			"samples (SMARTPROF\\_CPU\\_INTERVAL), would tell more\n",
			(unsigned long long)s->samples);
	else
		sp_buffer_puts(&w->out, "  - no function has more than its share of what they take longer\n");
}

static void put_slow(struct sp_writer *w, const struct sp_span_info *span)
{
	const struct sp_slow_spans *s = span->slow_ones;

	sp_buffer_puts(&w->out, "- ");
	sp_put_span_name(w, span);
	sp_buffer_printf(&w->out, ": %llu of %llu were slow and took ", (unsigned long long)s->count,
		(unsigned long long)span->count);
	sp_put_duration(&w->out, sp_whole(s->ns));
	sp_buffer_puts(&w->out, " each, the others ");
	sp_put_duration(&w->out, sp_whole(s->others_ns));
	if (is_more(&s->cpu)) {
		sp_buffer_puts(&w->out, "; of that CPU time ");
		put_extra(w, &s->cpu, sp_put_duration);
	}
	sp_buffer_puts(&w->out, ":\n");
	put_functions(w, s);
	put_counts(w, s);
	put_waits(w, s);
	put_missing(w, s);
}

/* --- the slowest ---------------------------------------------------------------------------------- */

struct slowest {
	const struct sp_span_info *span;
	const struct sp_span_slowest *one;
};

static int by_span_and_time(const void *left, const void *right)
{
	const struct slowest *a = left, *b = right;

	if (a->span != b->span)
		return a->span < b->span ? -1 : 1;
	return (a->one->ns < b->one->ns) - (a->one->ns > b->one->ns);
}

/* The function that most of its CPU samples are in. */
static void put_mostly(struct sp_writer *w, const struct sp_span_slowest *one)
{
	const struct sp_profile *p = w->profile;
	uint64_t sum = 0, most = 0;
	uint32_t function = 0;

	for (uint32_t i = 0; i < one->parts; i++) {
		const struct sp_path *path = &p->paths[one->part[i].stack];
		uint32_t here = p->frames[p->frame_ids[path->first]].function;
		uint64_t in = 0;

		if (path->kind != SP_STACKS_CPU)
			continue;
		for (uint32_t k = 0; k < one->parts; k++) {
			const struct sp_path *other = &p->paths[one->part[k].stack];

			if (other->kind == SP_STACKS_CPU && p->frames[p->frame_ids[other->first]].function == here)
				in += one->part[k].weight;
		}
		sum += one->part[i].weight;
		if (in > most) {
			most = in;
			function = here;
		}
	}
	if (!most)
		return;
	sp_buffer_printf(&w->out, "%.0f %% ", sp_percent(most, sum));
	sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[function].name);
}

static void put_slowest(struct sp_writer *w, const struct slowest *s)
{
	const struct sp_span_slowest *one = s->one;
	sp_buffer_puts(&w->out, "| ");
	sp_put_span_name(w, s->span);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, one->ns);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, sp_span_began_ns(w->profile, one));
	sp_buffer_printf(&w->out, " | %d | ", one->tid);
	if (one->measured)
		sp_put_duration(&w->out, one->cpu_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_put_size(&w->out, one->bytes);
	sp_buffer_puts(&w->out, " | ");
	if (one->measured)
		put_number(&w->out, one->faults);
	sp_buffer_puts(&w->out, " | ");
	put_mostly(w, one);
	sp_buffer_puts(&w->out, " |\n");
}

/* Those of spans that are in the tables, the longest of each first. */
static struct slowest *list_slowest(const struct sp_profile *p, size_t *count)
{
	const struct sp_snapshot *s = p->snapshot;
	struct slowest *list = sp_alloc(s->span_slowest_count + 1, sizeof(*list));
	const struct sp_span_info **of = sp_alloc(s->span_node_count + 1, sizeof(struct sp_span_info *));

	*count = 0;
	for (size_t i = 0; i < p->span_count; i++)
		of[p->spans[i].node] = p->spans[i].left_out ? NULL : &p->spans[i];
	for (size_t i = 1; i < s->span_slowest_count; i++)
		if (of[s->span_slowest[i].node])
			list[(*count)++] = (struct slowest){of[s->span_slowest[i].node], &s->span_slowest[i]};
	qsort(list, *count, sizeof(*list), by_span_and_time);
	free(of);
	return list;
}

static void put_all_slowest(struct sp_writer *w)
{
	const size_t rows = w->limits.detail_rows, most = w->limits.details;
	const struct sp_span_info *last = NULL;
	size_t count, spans = 0, of_span = 0;
	struct slowest *list = list_slowest(w->profile, &count);

	if (count)
		sp_buffer_puts(&w->out,
			"The longest of each span:\n\n"
			"| Span | Took | Began at | Thread | CPU | Allocated | Faults | Mostly in |\n"
			"|:---|---:|---:|---:|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < count; i++) {
		if (list[i].span != last && ++spans > most)
			break;
		of_span = list[i].span == last ? of_span + 1 : 0;
		last = list[i].span;
		if (of_span < rows)
			put_slowest(w, &list[i]);
	}
	if (count)
		sp_buffer_puts(&w->out, "\n");
	free(list);
}

void sp_write_slow_spans(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const size_t begin = w->out.length;
	size_t shown = 0;

	sp_buffer_puts(&w->out,
		"## Slow Spans\n\nThose that took longer than nine of ten of their name before them, and what they "
		"have more "
		"than all others, each on the average. Only what is beyond doubt is told.\n\n");
	for (size_t i = 0; i < p->span_count && shown < w->limits.details; i++) {
		if (!p->spans[i].slow_ones || p->spans[i].left_out)
			continue;
		put_slow(w, &p->spans[i]);
		shown++;
	}
	if (shown)
		sp_buffer_puts(&w->out, "\n");
	else if (p->snapshot->span_slowest_count < 2)
		w->out.length = begin;
	if (p->snapshot->span_slowest_count >= 2)
		put_all_slowest(w);
}
