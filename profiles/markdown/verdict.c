/* The verdict: two to four sentences that are true of this profile; the last is next.c's. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/heap.h"
#include "profiles/model/rank.h"

#define KERNEL_PERCENT 20.0 /* of the CPU time, above which it is worth a sentence */
#define SPREAD_PERCENT 5.0  /* of the hottest function, below which it is not the answer */

static void put_function(struct sp_writer *w, const struct sp_function *f)
{
	const struct sp_profile *p = w->profile;

	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	if (p->modules[f->module].system && !(f->flags & SP_FUNCTION_FOLDED)) {
		sp_buffer_puts(&w->out, " (");
		sp_put_module(&w->out, SP_ESCAPE_CELL, p, f->module);
		sp_buffer_puts(&w->out, ")");
	}
}

static void put_share(struct sp_writer *w, const struct sp_function *f)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_printf(&w->out, "%.1f %% ± %.1f in ", sp_percent(sp_function_self(f), p->total_ns),
		100 * f->self_error);
	put_function(w, f);
}

/* The hottest real functions; a share below its own error bar is no finding. */
static const struct sp_function *write_hottest(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_function *first = NULL;
	size_t count, said = 0;
	uint32_t *order = sp_rank(p->function_count, &count, sp_rank_self, p);

	for (size_t i = 0; i < count && said < 3; i++) {
		const struct sp_function *f = &p->functions[order[i]];
		double share = sp_percent(sp_function_self(f), p->total_ns) / 100;

		if (f->flags & SP_FUNCTION_PSEUDO)
			continue;
		if (said && (share < 0.03 || share < f->self_error))
			break;
		sp_buffer_puts(&w->out, said++ ? ", " : "; ");
		put_share(w, f);
		if (!first)
			sp_put_guilty_line(w, f);
		first = first ? first : f;
	}
	free(order);
	return first;
}

/* Where the first is no more than one among many. */
static void write_spread(struct sp_writer *w, const struct sp_function *first)
{
	const struct sp_profile *p = w->profile;
	uint64_t ten_ns = 0;
	size_t count, summed = 0;
	uint32_t *order;

	if (!first || sp_percent(sp_function_self(first), p->total_ns) >= SPREAD_PERCENT)
		return;
	order = sp_rank(p->function_count, &count, sp_rank_self, p);
	for (size_t i = 0; i < count && summed < 10; i++) {
		const struct sp_function *f = &p->functions[order[i]];

		if (f->flags & SP_FUNCTION_PSEUDO)
			continue;
		ten_ns += sp_function_self(f);
		summed++;
	}
	if (summed == 10)
		sp_buffer_printf(&w->out,
			"The time is spread over many functions: the ten hottest have %.0f %% together. ",
			sp_percent(ten_ns, p->total_ns));
	free(order);
}

static uint64_t rank_kernel(const struct sp_profile *p, size_t i)
{
	return p->functions[i].flags & SP_FUNCTION_PSEUDO ? 0 : p->functions[i].self_sys_ns;
}

/* Time in the kernel is not tuned in the function's own code. Time inside a system call is the self time
 * of the function that made the call. */
static void write_kernel(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	double share = sp_percent(p->cpu_sys_ns, p->cpu_user_ns + p->cpu_sys_ns);
	size_t count;
	uint32_t *order;

	if (share <= KERNEL_PERCENT)
		return;
	order = sp_rank(p->function_count, &count, rank_kernel, p);
	sp_buffer_printf(&w->out, "%.0f %% of the CPU time is kernel time", share);
	if (count) {
		const struct sp_function *f = &p->functions[order[0]];

		sp_buffer_printf(&w->out, ", %.0f %% of that in system calls and faults of ",
			sp_percent(f->self_sys_ns, p->cpu_sys_ns));
		put_function(w, f);
	}
	sp_buffer_puts(&w->out, ". ");
	free(order);
}

static bool is_same_process(const struct sp_member *a, const struct sp_member *b)
{
	return a->pid == b->pid && *a->tree && strcmp(a->tree, b->tree) == 0 && strcmp(a->program, b->program) == 0;
}

/* Profiles of one process are of windows of it. */
static void put_processes(struct sp_buffer *out, const struct sp_profile *p)
{
	size_t count = p->process_count, distinct = count;

	for (size_t i = 1; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (is_same_process(&p->processes[i], &p->processes[k])) {
				distinct--;
				break;
			}
	if (distinct == count)
		sp_buffer_printf(out, "%zu processes used ", count);
	else if (distinct == 1)
		sp_buffer_printf(out, "In %zu windows one process used ", count);
	else
		sp_buffer_printf(out, "In %zu windows %zu processes used ", count, distinct);
}

static const struct sp_function *write_cpu(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_function *first;
	uint64_t used = p->cpu_user_ns + p->cpu_sys_ns;

	if (p->process_count)
		put_processes(&w->out, p);
	else
		sp_buffer_puts(&w->out, "The process used ");
	sp_put_duration(&w->out, used);
	sp_buffer_puts(&w->out, " of CPU (");
	sp_put_duration(&w->out, p->cpu_user_ns);
	sp_buffer_puts(&w->out, " user, ");
	sp_put_duration(&w->out, p->cpu_sys_ns);
	sp_buffer_puts(&w->out, " system) in ");
	sp_put_duration(&w->out, p->wall_ns);
	sp_buffer_puts(&w->out, p->end_unknown ? " until its last sample" : "");
	sp_buffer_printf(&w->out, ", %.2f cores on average", p->wall_ns ? (double)used / (double)p->wall_ns : 0);
	first = write_hottest(w);
	if (p->samples)
		sp_buffer_printf(&w->out, " (self time, %llu sample%s). ", (unsigned long long)p->samples,
			p->samples == 1 ? "" : "s");
	else
		sp_buffer_puts(&w->out, "; it was not sampled. ");
	sp_write_waiting_verdict(w);
	write_spread(w, first);
	write_kernel(w);
	return first;
}

static uint64_t rank_peak(const struct sp_profile *p, size_t i)
{
	return p->sites[i].peak_bytes;
}

static void write_largest(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	uint64_t peak_bytes = p->snapshot->header.heap.peak_bytes;
	size_t count;
	uint32_t *order = sp_rank(p->site_count, &count, rank_peak, p);

	if (count && peak_bytes) {
		const struct sp_heap_site *s = &p->sites[order[0]];
		double error = sp_heap_error(sp_peak_variance(s), s->samples);

		sp_buffer_printf(&w->out, "; the largest part of the peak, %.1f %%",
			sp_percent(s->peak_bytes, peak_bytes));
		if (sp_heap_is_rough(s->peak_bytes, error, s->samples)) {
			sp_buffer_puts(&w->out, " (");
			sp_put_rough(&w->out, s->samples);
			sp_buffer_puts(&w->out, ")");
		} else
			sp_buffer_printf(&w->out, " ± %.1f", 100 * error / (double)peak_bytes);
		sp_buffer_puts(&w->out, ", was allocated in ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[s->function].name);
		if (s->file && s->line) {
			sp_buffer_puts(&w->out, " (");
			sp_put_location(&w->out, SP_ESCAPE_CELL, p, s->file, s->line);
			sp_buffer_puts(&w->out, ")");
		}
	}
	sp_buffer_puts(&w->out, ". ");
	free(order);
}

static void write_memory(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_heap_totals *heap = &p->snapshot->header.heap;

	if (p->is_window) {
		sp_write_growth_verdict(w);
		return;
	}
	if (sp_heap_mostly_before(p)) {
		sp_buffer_puts(&w->out, "Of ");
		sp_put_size(&w->out, p->heap_allocated_bytes);
		sp_buffer_puts(&w->out, " allocated, ");
		sp_put_size(&w->out, heap->before_bytes);
		sp_buffer_puts(&w->out,
			" were allocated before sampling began: where the heap came from is mostly unknown. ");
		return;
	}
	sp_buffer_puts(&w->out, "The heap held ");
	sp_put_heap_total(&w->out, p, heap->peak_bytes, sp_heap_peak_error(p));
	sp_buffer_puts(&w->out, " at its peak and ");
	sp_put_heap_total(&w->out, p, heap->inuse_bytes, sp_heap_inuse_error(p));
	sp_buffer_puts(&w->out, " at the end, out of ");
	sp_put_size(&w->out, p->heap_allocated_bytes);
	sp_buffer_puts(&w->out, " allocated");
	write_largest(w);
}

void sp_write_verdict(struct sp_writer *w)
{
	const struct sp_function *first = NULL;
	const char *program = sp_profile_fact(w->profile, "program");
	size_t from = w->out.length;

	sp_buffer_puts(&w->out, "**Verdict (");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, program ? program : "unknown program");
	sp_buffer_puts(&w->out, "):** ");
	if (w->profile->cpu_on)
		first = write_cpu(w);
	if (w->profile->heap_on && w->profile->process_count)
		sp_write_merged_memory(w);
	else if (w->profile->heap_on)
		write_memory(w);
	if (w->profile->process_count)
		sp_write_merged_next(w);
	else
		sp_write_next(w, first);
	sp_buffer_puts(&w->out, "\n\n");
	sp_put_hash_note(&w->out, from);
}
