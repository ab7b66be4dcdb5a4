/* smartprof top: what happened between two looks, added up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/time.h"
#include "profiles/model/heap.h"
#include "profiles/redact/redact.h"
#include "profiles/spool/process.h"
#include "profiles/spool/window.h"
#include "tools/top/parts.h"

/* --- samples ------------------------------------------------------------------------------------ */

static void clear(struct sp_top_items *items, unsigned from, unsigned to)
{
	for (size_t i = 0; i < items->count; i++)
		for (unsigned k = from; k <= to; k++)
			items->list[i].sums[k] = (struct sp_sum){0};
}

static bool differs(const struct sp_stack *a, const struct sp_stack *b)
{
	return a->user_ns != b->user_ns || a->sys_ns != b->sys_ns || a->user_samples != b->user_samples ||
		a->sys_samples != b->sys_samples;
}

static void add_active(struct sp_top *top, const struct sp_stack *was, uint32_t stack, uint32_t moved)
{
	if (!differs((const struct sp_stack *)top->spool.stacks.list + stack, was))
		return;
	sp_grow(&top->active, &top->active_capacity, top->active_count + 1, sizeof(*top->active));
	top->active[top->active_count++] = (struct sp_top_active){stack, moved};
}

/* Those with samples since the last time, or ever. */
static void find_active(struct sp_top *top, bool ever)
{
	static const struct sp_stack none;
	const struct sp_follow_table *stacks = &top->spool.stacks;

	top->active_count = 0;
	for (uint32_t i = 0; ever && i < stacks->count; i++)
		add_active(top, &none, i, 0);
	for (uint32_t k = 0; !ever && k < stacks->moved_count; k++)
		add_active(top, (const struct sp_stack *)stacks->was + k, stacks->moved[k], k);
}

void sp_top_make_room(struct sp_top *top, size_t stack)
{
	size_t before = top->stack_capacity;

	sp_grow(&top->stacks, &top->stack_capacity, stack + 1, sizeof(*top->stacks));
	memset(top->stacks + before, 0, (top->stack_capacity - before) * sizeof(*top->stacks));
}

static bool make_known(struct sp_top *top, const char **why)
{
	uint32_t *unknown = sp_alloc(top->active_count + 1, sizeof(*unknown));
	size_t count = 0;
	bool good;

	sp_top_make_room(top, top->spool.stacks.count);
	for (size_t i = 0; i < top->active_count; i++)
		if (!top->stacks[top->active[i].stack].known)
			unknown[count++] = top->active[i].stack;
	good = !count || sp_top_name(top, unknown, count, why);
	free(unknown);
	return good;
}

static void add(struct sp_top_item *item, unsigned which, const struct sp_sum *sum, bool in_interval)
{
	if (in_interval)
		sp_sum_add(&item->sums[which], sum);
	sp_sum_add(&item->sums[which + SP_TOP_SELF - SP_TOP_SELF_NOW], sum);
}

static void add_stack(struct sp_top *top, const struct sp_top_stack *stack, const struct sp_sum *sum, bool in_interval)
{
	const uint32_t *functions = top->ids + stack->first, *lines = functions + stack->functions;

	if (in_interval)
		sp_sum_add(&top->all_now, sum);
	sp_sum_add(&top->all, sum);
	if (stack->functions)
		add(&top->functions.list[functions[0]], SP_TOP_SELF_NOW, sum, in_interval);
	for (uint32_t i = 0; i < stack->functions; i++)
		add(&top->functions.list[functions[i]], SP_TOP_TOTAL_NOW, sum, in_interval);
	if (stack->has_line)
		add(&top->lines.list[lines[0]], SP_TOP_SELF_NOW, sum, in_interval);
	for (uint32_t i = 0; i < stack->lines; i++)
		add(&top->lines.list[lines[i]], SP_TOP_TOTAL_NOW, sum, in_interval);
}

/* Those of the interval, or of all of the run, which are the window's and no interval's. */
static bool add_samples(struct sp_top *top, bool ever, const char **why)
{
	const struct sp_stack *list = top->spool.stacks.list, *was = top->spool.stacks.was;

	find_active(top, ever);
	if (!make_known(top, why))
		return false;
	for (size_t i = 0; i < top->active_count; i++) {
		struct sp_top_active active = top->active[i];
		struct sp_stack is = list[active.stack];
		struct sp_sum sum;

		if (!ever)
			sp_window_stack(&is, &was[active.moved]);
		sum = (struct sp_sum){(double)(is.user_ns + is.sys_ns) / 1e3, (double)is.weight_sq_us2,
			(double)is.user_samples + is.sys_samples};
		add_stack(top, &top->stacks[active.stack], &sum, !ever);
		if (!ever && is.span)
			sp_top_count_span(top, is.span, &sum);
	}
	return true;
}

/* --- the whole process -------------------------------------------------------------------------- */

double sp_top_cpu_us(const struct sp_moment *moment)
{
	uint64_t user_ns, sys_ns;

	sp_snapshot_cpu(&moment->is, &user_ns, &sys_ns);
	return ((double)user_ns + (double)sys_ns) / 1e3;
}

static uint64_t samples(const struct sp_moment *moment)
{
	return moment->is.header.cpu.user_samples + moment->is.header.cpu.sys_samples;
}

/* A sample's weight on average is what the process may have used that none stands for yet. */
double sp_top_sample_us(const struct sp_top *top)
{
	const struct sp_cpu_totals *cpu = &top->spool.now.is.header.cpu;
	double interval_us = (double)(cpu->interval_ns > cpu->tick_ns ? cpu->interval_ns : cpu->tick_ns) / 1e3;

	return top->all.samples > 0 ? top->all.weight / top->all.samples : interval_us;
}

static unsigned running_threads(const struct sp_snapshot *now)
{
	unsigned count = 0;

	for (size_t i = 1; i < now->thread_count; i++)
		count += now->threads[i].state == 1;
	return count ? count : 1;
}

double sp_top_cpu_error_us(const struct sp_top *top)
{
	return sp_top_sample_us(top) * sqrt(running_threads(&top->spool.now.is));
}

static double allocated(const struct sp_snapshot *threads)
{
	double bytes = 0;

	for (size_t i = 0; i < threads->thread_count; i++) {
		const struct sp_heap_counters *heap = &threads->threads[i].heap;

		if (!i || threads->threads[i].state)
			bytes += (double)heap->bytes_base - (double)heap->countdown;
	}
	return bytes > 0 ? bytes : 0;
}

static void settle_process(struct sp_top *top)
{
	const struct sp_spool_header *h = &top->spool.now.is.header;
	struct sp_top_state *s = &top->state;
	struct sp_process_stat stat;

	s->pid = h->pid;
	s->process = h->state == SP_STATE_ENDED ? SP_TOP_ENDED
		: top->spool.now.is.running     ? SP_TOP_RUNNING /* also while it has called execve and may come back */
		: h->state == SP_STATE_EXEC     ? SP_TOP_EXEC
						: SP_TOP_DIED;
	if (s->process == SP_TOP_RUNNING && sp_process_stat(h->pid, &stat) == 0 && stat.start_ticks == h->start_ticks &&
		(stat.state == 'T' || stat.state == 't'))
		s->process = SP_TOP_STOPPED;
	switch (s->process) {
	case SP_TOP_RUNNING:
	case SP_TOP_STOPPED:
		snprintf(s->text, sizeof(s->text), s->process == SP_TOP_RUNNING ? "running" : "stopped");
		break;
	case SP_TOP_EXEC:
		snprintf(s->text, sizeof(s->text), "became another program");
		break;
	case SP_TOP_DIED:
		snprintf(s->text, sizeof(s->text), "died without telling");
		break;
	case SP_TOP_ENDED:
		snprintf(s->text, sizeof(s->text),
			h->exit_kind == SP_EXIT_SIGNAL ? "ended by signal %d" : "ended with %d", h->exit_value);
		break;
	}
}

static double in_use_bytes(const struct sp_heap_totals *heap)
{
	return (int64_t)heap->inuse_bytes > 0 ? (double)heap->inuse_bytes : 0;
}

static double variance_bytes2(uint64_t units)
{
	return (int64_t)units > 0 ? (double)units * SP_VARIANCE_UNIT : 0;
}

static void settle(struct sp_top *top)
{
	const struct sp_snapshot *now = &top->spool.now.is;
	struct sp_top_state *s = &top->state;
	double error_us = sp_top_cpu_error_us(top);
	double cpu_now_us = fmax(sp_top_cpu_us(&top->spool.now) - sp_top_cpu_us(&top->spool.was), 0);
	double cpu_all_us = fmax(sp_top_cpu_us(&top->spool.now) - sp_top_cpu_us(&top->base), 0);

	settle_process(top);
	s->cores = s->allocated = (struct sp_top_figure){0};
	if (s->interval_s > 0) {
		s->cores = (struct sp_top_figure){cpu_now_us / 1e6 / s->interval_s, error_us / 1e6 / s->interval_s};
		s->allocated.value = allocated(&top->threads_now) / s->interval_s;
	}
	s->window_s = s->whole ? (double)now->taken_ns / 1e9 : (double)(top->looked_ns - top->began_ns) / 1e9;
	s->cpu_s = (struct sp_top_figure){cpu_all_us / 1e6, error_us / 1e6};
	s->samples = samples(&top->spool.now) - samples(&top->spool.was);
	s->window_samples = samples(&top->spool.now) - samples(&top->base);
	s->rss_bytes = now->header.rss_bytes;
	s->heap = (struct sp_top_figure){in_use_bytes(&now->header.heap),
		sp_heap_error(variance_bytes2(now->header.heap.inuse_variance), now->header.heap.live_entries)};
	top->sites_are_fresh = false;
	top->row_count = 0;
}

/* --- looks -------------------------------------------------------------------------------------- */

static void take_threads(struct sp_top *top, struct sp_snapshot *to, size_t *capacity, const struct sp_moment *since)
{
	const struct sp_snapshot *now = &top->spool.now.is;

	sp_grow(&to->threads, capacity, now->thread_count + 1, sizeof(*to->threads));
	if (now->thread_count)
		memcpy(to->threads, now->threads, now->thread_count * sizeof(*to->threads));
	to->thread_count = now->thread_count;
	sp_window_threads(to, &since->is);
}

static void take_all_threads(struct sp_top *top)
{
	take_threads(top, &top->threads_now, &top->threads_now_capacity,
		top->state.interval_s > 0 ? &top->spool.was : &top->spool.now);
	take_threads(top, &top->threads, &top->threads_capacity, &top->base);
}

/* What code ran is the difference between two times that stacks were looked at, which may be several looks apart. */
static bool take_code(struct sp_top *top, const char **why)
{
	double then_us = top->code_us;

	top->code_is_fresh = true;
	top->code_us = sp_top_cpu_us(&top->spool.now);
	top->code_now_us = fmax(top->code_us - then_us, 0);
	clear(&top->functions, SP_TOP_SELF_NOW, SP_TOP_TOTAL_NOW);
	clear(&top->lines, SP_TOP_SELF_NOW, SP_TOP_TOTAL_NOW);
	top->all_now = (struct sp_sum){0};
	sp_top_forget_spans(top);
	return add_samples(top, false, why);
}

bool sp_top_add_code(struct sp_top *top, const char **why)
{
	top->wanted |= SP_FOLLOW_STACKS;
	if (top->code_is_fresh)
		return true;
	return sp_follow_look_at_stacks(&top->spool, why) == 0 && take_code(top, why);
}

static bool look(struct sp_top *top, const char **why)
{
	unsigned what = top->wanted;

	if (sp_follow_look(&top->spool, what, why) < 0)
		return false;
	if (what & SP_FOLLOW_HEAP)
		sp_top_take_heap(top);
	top->wanted = 0;
	top->looked_ns = sp_time_ns(CLOCK_MONOTONIC);
	top->code_is_fresh = false;
	return !(what & SP_FOLLOW_STACKS) || take_code(top, why);
}

static bool take_whole(struct sp_top *top, const char **why)
{
	sp_moment_forget(&top->base);
	sp_top_begin_heap(top, true);
	top->state.whole = true;
	take_all_threads(top);
	return add_samples(top, true, why);
}

bool sp_top_has_ended(const struct sp_top *top)
{
	return top->state.process == SP_TOP_ENDED || top->state.process == SP_TOP_DIED ||
		top->state.process == SP_TOP_EXEC;
}

bool sp_top_refresh(struct sp_top *top, const char **why)
{
	uint64_t last_ns = top->looked_ns;
	bool good = true;

	if (sp_top_has_ended(top))
		return true;
	if (!look(top, why))
		return false;
	top->state.interval_s = (double)(top->looked_ns - last_ns) / 1e9;
	take_all_threads(top);
	settle(top);
	if (!top->refreshed || sp_top_has_ended(top))
		good = sp_top_add_code(top, why);
	if (good && !top->refreshed && !top->active_count && top->state.allocated.value <= 0) {
		good = take_whole(top, why);
		settle(top);
	}
	top->refreshed = true;
	return good;
}

/* What was not looked at yet is of before. */
static void begin_window(struct sp_top *top)
{
	const char *why;

	sp_top_add_code(top, &why);
	sp_follow_look_at_heap(&top->spool, &why);
	sp_follow_look_at_spans(&top->spool, &why);
	sp_follow_look_at_waits(&top->spool, &why);
	sp_moment_keep(&top->base, &top->spool.now);
	sp_top_begin_heap(top, false);
	top->began_ns = top->looked_ns;
	top->state.whole = false;
	clear(&top->functions, SP_TOP_SELF, SP_TOP_TOTAL);
	clear(&top->lines, SP_TOP_SELF, SP_TOP_TOTAL);
	top->all = (struct sp_sum){0};
	take_all_threads(top);
	settle(top);
}

void sp_top_reset(struct sp_top *top)
{
	if (!sp_top_has_ended(top))
		begin_window(top);
}

/* The first look is what all others are compared with. */
static bool begin(struct sp_top *top, const char **why)
{
	const unsigned everything = SP_FOLLOW_STACKS | SP_FOLLOW_HEAP | SP_FOLLOW_SPANS | SP_FOLLOW_WAITS;

	if (sp_follow_look(&top->spool, everything, why) < 0)
		return false;
	top->looked_ns = sp_time_ns(CLOCK_MONOTONIC);
	top->code_us = sp_top_cpu_us(&top->spool.now);
	top->code_is_fresh = true;
	top->wanted = everything; /* whatever is shown first is of the first interval alone */
	begin_window(top);
	if (!sp_top_has_ended(top))
		return true;
	if (!take_whole(top, why))
		return false;
	settle(top);
	return true;
}

static const char *program_name(const struct sp_spool_header *header, int fd)
{
	struct sp_buffer shown = {0}, clean = {0};
	struct sp_snapshot peek;
	const char *why, *name;
	char *kept;

	if (sp_snapshot_peek(&peek, fd, &why) < 0)
		peek.text_bytes = 0;
	name = sp_snapshot_text(&peek, header->text.program);
	sp_redact_text(&shown, name, strlen(name));
	sp_top_clean(&clean, shown.data ? shown.data : "");
	kept = sp_copy_text(clean.data ? clean.data : "");
	sp_buffer_free(&shown);
	sp_buffer_free(&clean);
	sp_snapshot_free(&peek);
	return kept;
}

struct sp_top *sp_top_new(int fd, const struct sp_symbolizer_options *symbols, const char **why)
{
	struct sp_top *top = sp_alloc(1, sizeof(*top));

	top->spool.fd = fd;
	top->symbols = *symbols;
	top->symbols.pool = &top->pool;
	if (begin(top, why)) {
		top->state.program = program_name(&top->spool.now.is.header, fd);
		return top;
	}
	sp_top_free(top);
	return NULL;
}

const struct sp_top_state *sp_top_state(const struct sp_top *top)
{
	return &top->state;
}

static void free_items(struct sp_top_items *items)
{
	free(items->list);
	sp_map_free(&items->index);
}

void sp_top_free(struct sp_top *top)
{
	sp_follow_free(&top->spool);
	sp_moment_forget(&top->base);
	sp_symbolizer_pool_free(&top->pool);
	sp_names_free(&top->texts);
	free_items(&top->functions);
	free_items(&top->lines);
	free_items(&top->sites);
	sp_map_free(&top->entries);
	free((char *)top->state.program);
	free(top->stacks);
	free(top->ids);
	free(top->active);
	free(top->threads_now.threads);
	free(top->threads.threads);
	sp_top_free_heap(top);
	free(top->in_span);
	sp_snapshot_free(&top->spans);
	free(top->rows);
	free(top);
}
