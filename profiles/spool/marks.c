/* Going back to a mark. */
#include "profiles/spool/marks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/spool/spans.h"
#include "profiles/spool/waits.h"
#include "symbolize/base/memory.h"

bool sp_name_is_plain(const char *name, size_t most)
{
	size_t length = strlen(name);

	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_+", *c))
			return false;
	return length >= 1 && length <= most;
}

void sp_mark_label(const struct sp_snapshot *s, const struct sp_mark *mark, char label[SP_MARK_LABEL_BYTES])
{
	unsigned number = 1;

	for (const struct sp_mark *m = s->marks; m < mark; m++)
		number += strcmp(m->name, mark->name) == 0;
	if (number == 1)
		snprintf(label, SP_MARK_LABEL_BYTES, "%s", mark->name);
	else
		snprintf(label, SP_MARK_LABEL_BYTES, "%s.%u", mark->name, number % 1000);
}

const struct sp_mark *sp_mark_find(const struct sp_snapshot *s, const char *label)
{
	char own[SP_MARK_LABEL_BYTES];

	for (size_t i = 0; i < s->mark_count; i++) {
		sp_mark_label(s, &s->marks[i], own);
		if (strcmp(own, label) == 0)
			return &s->marks[i];
	}
	return NULL;
}

/* --- heap --------------------------------------------------------------------------------------- */

static struct sp_site nothing_at(const struct sp_site *now)
{
	return (struct sp_site){.ready = now->ready, .stack = now->stack, .born_mark_seq = now->born_mark_seq};
}

static struct sp_site as_then(const struct sp_site *now, const struct sp_site *was)
{
	struct sp_site site = *was;

	site.ready = now->ready;
	site.stack = now->stack;
	return site;
}

static void rewind_sites(struct sp_snapshot *s, uint32_t seq)
{
	const struct sp_marked **then = sp_alloc(s->site_count + 1, sizeof(*then));

	for (size_t i = 0; i < s->marked_count; i++)
		if (s->marked[i].from < seq && seq <= s->marked[i].to)
			then[s->marked[i].site] = &s->marked[i];
	for (size_t i = 0; i < s->site_count; i++) {
		struct sp_site *site = &s->sites[i];

		if (seq > site->mark_seq)
			continue;
		if (i && seq <= site->born_mark_seq)
			*site = nothing_at(site);
		else if (then[i])
			*site = as_then(site, &then[i]->was);
		else
			s->lost_sites++;
	}
	free(then);
}

static void rewind_live(struct sp_snapshot *s, const struct sp_mark *mark)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->live_count; i++)
		if (s->live[i].born_tsc <= mark->tsc)
			s->live[kept++] = s->live[i];
	s->live_count = kept;
}

/* --- CPU ---------------------------------------------------------------------------------------- */

struct sampled {
	uint64_t ns, sq_us2;
	uint32_t samples;
};

static void add_entry(struct sampled *to, const struct sp_log_entry *entry)
{
	uint64_t us = (uint64_t)entry->weight * SP_LOG_UNIT_NS / 1000;

	to->ns += (uint64_t)entry->weight * SP_LOG_UNIT_NS;
	to->sq_us2 += us * us;
	to->samples++;
}

static void add_sampled(struct sampled *to, const struct sampled *more)
{
	to->ns += more->ns;
	to->sq_us2 += more->sq_us2;
	to->samples += more->samples;
}

static uint64_t part_of(uint64_t part, uint64_t whole, uint64_t of)
{
	return whole ? sp_whole((double)of * (double)part / (double)whole) : 0;
}

/* The log does not tell user from system time: what a stack is now, it was then. */
static void rewind_stack(struct sp_stack *stack, const struct sampled *then)
{
	uint64_t ns = stack->user_ns + stack->sys_ns, user = part_of(stack->user_ns, ns, then->ns);
	uint32_t all = stack->user_samples + stack->sys_samples;

	if (then->samples == all) /* the log is not as exact */
		return;
	stack->user_ns = user;
	stack->sys_ns = then->ns - user;
	stack->user_samples = (uint32_t)part_of(stack->user_samples, all, then->samples);
	stack->sys_samples = then->samples - stack->user_samples;
	stack->weight_sq_us2 = then->sq_us2;
}

static void rewind_thread(struct sp_thread_record *t, const struct sampled *then, const struct sp_mark *mark,
	const struct sp_heap_totals *now)
{
	uint64_t ns = t->user_ns + t->sys_ns, bytes = (uint64_t)(t->heap.bytes_base - t->heap.countdown);

	if (t->state == 2 && t->end_ns > mark->t_ns)
		t->state = 1;
	t->user_ns = part_of(t->user_ns, ns, then->ns);
	t->sys_ns = then->ns - t->user_ns;
	t->user_samples = part_of(t->user_samples, t->user_samples + t->sys_samples, then->samples);
	t->sys_samples = then->samples - t->user_samples;
	/* It waits for a CPU when it has work for one. */
	t->queue_ns = part_of(t->queue_ns, t->cpu_user_ns + t->cpu_sys_ns, then->ns);
	t->lived_ns = part_of(t->lived_ns, t->cpu_user_ns + t->cpu_sys_ns, then->ns);
	t->cpu_user_ns = t->user_ns;
	t->cpu_sys_ns = t->sys_ns;
	t->heap.countdown = 0;
	t->heap.bytes_base = (int64_t)part_of(mark->heap.flushed_bytes, now->flushed_bytes, bytes);
	t->heap.allocs = part_of(mark->heap.flushed_allocs, now->flushed_allocs, t->heap.allocs);
	t->heap.frees = part_of(mark->heap.flushed_frees, now->flushed_frees, t->heap.frees);
	t->heap.reallocs = part_of(mark->heap.flushed_allocs, now->flushed_allocs, t->heap.reallocs);
}

static void rewind_samples(struct sp_snapshot *s, const struct sp_mark *mark)
{
	struct sampled *stacks = sp_alloc(s->stack_count + 1, sizeof(*stacks)), *threads;
	size_t logged = mark->logged < s->log_count ? mark->logged : s->log_count;

	threads = sp_alloc(s->thread_count + 1, sizeof(*threads));
	for (size_t i = 0; i < logged; i++) {
		add_entry(&stacks[s->log[i].stack], &s->log[i]);
		add_entry(&threads[s->log[i].thread < s->thread_count ? s->log[i].thread : 0], &s->log[i]);
	}
	for (size_t i = 0; i < s->stack_count; i++)
		rewind_stack(&s->stacks[i], &stacks[i]);
	for (size_t i = s->thread_count; i-- > 0;) {
		if (i && s->threads[i].start_ns > mark->t_ns) { /* of an earlier one, whose record it is now */
			s->threads[i] = (struct sp_thread_record){.state = 0};
			add_sampled(&threads[0], &threads[i]);
		} else {
			rewind_thread(&s->threads[i], &threads[i], mark, &s->header.heap);
		}
	}
	s->log_count = logged;
	free(stacks);
	free(threads);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void rewind_header(struct sp_spool_header *h, const struct sp_mark *mark)
{
	h->state = SP_STATE_RUNNING;
	h->exit_kind = SP_EXIT_UNKNOWN;
	h->exit_value = 0;
	h->end_ns = 0;
	h->now_ns = mark->t_ns;
	h->rss_bytes = mark->rss_bytes;
	h->max_rss_bytes = mark->max_rss_bytes;
	h->broken = mark->broken;
	h->allocator.asked = SP_ALLOCATOR_UNKNOWN;
	h->control.stopped_ns = mark->stopped_ns;
	h->control.stopped_cpu_ns = mark->stopped_cpu_ns;
	h->control.stopped = 0;
	h->heap = mark->heap;
	h->cpu = mark->cpu;
	memcpy(h->drops, mark->drops, sizeof(h->drops));
}

void sp_mark_rewind(struct sp_snapshot *s, const struct sp_mark *mark)
{
	size_t points = 0;

	rewind_sites(s, mark->seq);
	rewind_live(s, mark);
	rewind_samples(s, mark);
	while (points < s->timeline_count && s->timeline[points].t_ns <= mark->t_ns)
		points++;
	s->timeline_count = points;
	rewind_header(&s->header, mark);
	s->running = true;
	sp_spans_unknown(s);
	sp_waits_unknown(s);
	s->span_thread_count = 0;
	sp_traced_keep(s, 0, mark->t_ns);
	s->taken_ns = mark->t_ns;
	s->mark_count = (size_t)(mark - s->marks) + 1;
	s->at = mark;
}

static void *copy(const void *records, size_t count, size_t size)
{
	void *to = sp_alloc(count + 1, size);

	if (count)
		memcpy(to, records, count * size);
	return to;
}

void sp_snapshot_copy(struct sp_snapshot *to, const struct sp_snapshot *from)
{
	*to = *from;
	to->text = NULL;
	to->modules = NULL;
	to->frames = to->copied = NULL;
	to->copies = NULL;
	to->growth = NULL;
	to->span_names = NULL;
	to->span_nodes = NULL;
	to->span_counts = NULL;
	to->span_threads = NULL;
	to->checkpoints = NULL;
	to->traced = NULL;
	to->wait_sites = NULL;
	to->locks = NULL;
	to->wait_site_count = to->lock_count = 0;
	to->traced_count = 0;
	to->events = NULL;
	to->span_name_count = to->span_node_count = to->span_count_count = to->span_thread_count = 0;
	to->span_slowest = NULL;
	to->span_tail = NULL;
	to->span_slowest_count = to->span_tail_count = 0;
	to->checkpoint_count = to->event_count = 0;
	to->text_bytes = to->module_count = to->frame_count = to->copy_count = to->copied_count = 0;
	to->threads = copy(from->threads, from->thread_count, sizeof(*from->threads));
	to->stacks = copy(from->stacks, from->stack_count, sizeof(*from->stacks));
	to->sites = copy(from->sites, from->site_count, sizeof(*from->sites));
	to->timeline = copy(from->timeline, from->timeline_count, sizeof(*from->timeline));
	to->log = copy(from->log, from->log_count, sizeof(*from->log));
	to->live = copy(from->live, from->live_count, sizeof(*from->live));
	to->marks = copy(from->marks, from->mark_count, sizeof(*from->marks));
	to->marked = copy(from->marked, from->marked_count, sizeof(*from->marked));
}
