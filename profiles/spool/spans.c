/* Checking what a spool says of spans, and windows of it. */
#include "profiles/spool/spans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/spool/window.h"
#include "symbolize/base/memory.h"

uint64_t sp_spans_time_ns(const struct sp_spool_header *h, uint64_t tsc)
{
	double per_cycle = h->tsc_per_us_x1024 ? 1024000.0 / (double)h->tsc_per_us_x1024 : 0;

	return sp_whole((double)(int64_t)(tsc - h->start_tsc) * per_cycle);
}

static bool is_node(const struct sp_snapshot *s, uint32_t node)
{
	return node && node < s->span_node_count && s->span_nodes[node].name;
}

static void check_names(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->span_name_count; i++) {
		struct sp_span_name *name = &s->span_names[i];

		if (i && name->ready &&
			(name->text >= s->text_bytes || name->kind > SP_SPAN_CHECKPOINT ||
				strnlen(s->text + name->text, SP_SPAN_TEXT_MAX + 1) > SP_SPAN_TEXT_MAX)) {
			name->ready = 0;
			s->damaged++;
		}
		name->ready &= i > 0;
	}
}

/* In so many others a node stands at the most. */
#define NESTED_MAX (SP_SPAN_DEPTH * (1u + SP_SPAN_LABELS))

/* A node is made when its parent is there. */
static void check_nodes(struct sp_snapshot *s)
{
	uint32_t *nested = sp_alloc(s->span_node_count + 1, sizeof(*nested));

	for (size_t i = 0; i < s->span_node_count; i++) {
		struct sp_span_node *node = &s->span_nodes[i];
		bool whole = node->ready && node->name < s->span_name_count && s->span_names[node->name].ready &&
			(!node->parent ||
				(node->parent < i && is_node(s, node->parent) && nested[node->parent] < NESTED_MAX));

		s->damaged += i && node->ready && !whole;
		if (!i || !whole)
			*node = (struct sp_span_node){0};
		nested[i] = node->parent ? nested[node->parent] + 1 : 0;
	}
	free(nested);
}

static void check_counts(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->span_count_count; i++)
		if (!i || !is_node(s, s->span_counts[i].node))
			s->span_counts[i] = (struct sp_span_count){0};
}

static void check_checkpoints(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->checkpoint_count; i++) {
		struct sp_checkpoint *c = &s->checkpoints[i];

		if (!i || !is_node(s, c->node) || s->span_names[s->span_nodes[c->node].name].kind != SP_SPAN_CHECKPOINT)
			*c = (struct sp_checkpoint){0};
	}
}

/* Those of stacks that there are; one of another is of none. */
static uint32_t keep_samples(const struct sp_snapshot *s, struct sp_span_sample *samples, uint32_t count, uint32_t most)
{
	count = count < most ? count : most;
	for (uint32_t i = 0; i < count; i++)
		if (samples[i].stack >= s->stack_count)
			samples[i].stack = 0;
	return count;
}

static void check_threads(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->span_thread_count; i++) {
		struct sp_span_thread *t = &s->span_threads[i];

		if (!i || !t->owner || t->depth > SP_SPAN_DEPTH)
			t->depth = 0;
		for (uint32_t k = 0; k < t->depth; k++)
			if (!is_node(s, t->open[k].node))
				t->depth = k;
		t->sampled = t->depth ? keep_samples(s, t->samples, t->sampled, SP_SPAN_SAMPLES) : 0;
	}
}

static void check_traced(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->traced_count; i++) {
		if (s->traced[i].ready != 1)
			continue;
		if (s->traced[i].stack < s->stack_count)
			s->traced[kept++] = s->traced[i];
		else
			s->damaged++;
	}
	s->traced_count = kept;
}

void sp_traced_keep(struct sp_snapshot *s, uint64_t from_ns, uint64_t to_ns)
{
	struct sp_trace_totals *totals = &s->header.traces;
	size_t kept = 0;

	*totals = (struct sp_trace_totals){.replaced = totals->replaced};
	for (size_t i = 0; i < s->traced_count; i++) {
		const struct sp_traced *traced = &s->traced[i];
		uint64_t ns = sp_spans_time_ns(&s->header, traced->tsc);

		if (ns < from_ns || ns > to_ns)
			continue;
		totals->samples++;
		totals->ns += traced->weight_ns;
		s->traced[kept++] = *traced;
	}
	s->traced_count = kept;
}

static void check_slowest(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->span_slowest_count; i++) {
		struct sp_span_slowest *w = &s->span_slowest[i];

		if (!w->seq || w->seq % 2 || w->seq != w->seq_again || !is_node(s, w->node))
			continue;
		w->parts = keep_samples(s, w->part, w->parts, SP_SPAN_PARTS);
		s->span_slowest[++kept] = *w;
	}
	s->span_slowest_count = kept ? kept + 1 : 0;
}

static void check_tail(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->span_tail_count; i++)
		if (!i || !s->span_tail[i].ready || !is_node(s, s->span_tail[i].node) ||
			s->span_tail[i].stack >= s->stack_count)
			s->span_tail[i] = (struct sp_span_tail){0};
}

void sp_spans_check(struct sp_snapshot *s)
{
	check_traced(s);
	check_names(s);
	check_nodes(s);
	check_counts(s);
	check_checkpoints(s);
	check_threads(s);
	check_slowest(s);
	check_tail(s);
	for (size_t i = 0; i < s->stack_count; i++)
		if (!is_node(s, s->stacks[i].span))
			s->stacks[i].span = 0;
}

static void take_spread(struct sp_span_spread *is, const struct sp_span_spread *was)
{
	is->own_ns = sp_window_since(is->own_ns, was->own_ns);
	is->us_sq = fmax(is->us_sq - was->us_sq, 0);
	is->kb_sq = fmax(is->kb_sq - was->kb_sq, 0);
	is->measured = sp_window_since(is->measured, was->measured);
	is->wait_ns = sp_window_since(is->wait_ns, was->wait_ns);
	is->cpu_ns = sp_window_since(is->cpu_ns, was->cpu_ns);
	is->faults = sp_window_since(is->faults, was->faults);
	is->cpu_us_sq = fmax(is->cpu_us_sq - was->cpu_us_sq, 0);
	is->wait_us_sq = fmax(is->wait_us_sq - was->wait_us_sq, 0);
	is->faults_sq = fmax(is->faults_sq - was->faults_sq, 0);
}

/* Of the longest, those that ended before are not the window's: there may have been longer ones than remain. */
static void take_slow(struct sp_snapshot *s, const struct sp_snapshot *before)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->span_slowest_count; i++)
		if (sp_spans_time_ns(&s->header, s->span_slowest[i].end_tsc) >= before->taken_ns)
			s->span_slowest[++kept] = s->span_slowest[i];
	s->span_slowest_count = kept ? kept + 1 : 0;
	for (size_t i = 0; i < before->span_tail_count && i < s->span_tail_count; i++) {
		struct sp_span_tail *is = &s->span_tail[i];
		const struct sp_span_tail *was = &before->span_tail[i];

		if (is->node != was->node || is->stack != was->stack)
			continue;
		is->samples = (uint32_t)sp_window_since(is->samples, was->samples);
		is->weight = sp_window_since(is->weight, was->weight);
		is->sq = sp_window_since(is->sq, was->sq);
	}
}

static void take_count(struct sp_span_count *is, const struct sp_span_count *was)
{
	uint32_t first = SP_SPAN_CLASSES, last = 0;

	is->count = sp_window_since(is->count, was->count);
	is->sum_ns = sp_window_since(is->sum_ns, was->sum_ns);
	is->self_ns = sp_window_since(is->self_ns, was->self_ns);
	is->bytes = sp_window_since(is->bytes, was->bytes);
	is->allocs = sp_window_since(is->allocs, was->allocs);
	is->unended = sp_window_since(is->unended, was->unended);
	is->slow = sp_window_since(is->slow, was->slow);
	for (uint32_t i = 0; i < SP_SPAN_CLASSES; i++) {
		is->classes[i] = (uint32_t)sp_window_since(is->classes[i], was->classes[i]);
		if (is->classes[i]) {
			first = first < i ? first : i;
			last = i;
		}
	}
	take_spread(&is->spread, &was->spread);
	is->tail.count = sp_window_since(is->tail.count, was->tail.count);
	is->tail.bytes = sp_window_since(is->tail.bytes, was->tail.bytes);
	take_spread(&is->tail.spread, &was->tail.spread);
	/* The shortest and the longest are known to their classes. */
	if (sp_span_class(was->min_ns) <= first && first < SP_SPAN_CLASSES && is->min_ns == was->min_ns)
		is->min_ns = sp_span_class_ns(first);
	if (is->max_ns == was->max_ns)
		is->max_ns = last + 1 < SP_SPAN_CLASSES ? sp_span_class_ns(last + 1) : is->max_ns;
}

static void take_totals(struct sp_span_totals *is, const struct sp_span_totals *was)
{
	is->stray = sp_window_since(is->stray, was->stray);
	is->too_deep = sp_window_since(is->too_deep, was->too_deep);
	is->tail_lost = sp_window_since(is->tail_lost, was->tail_lost);
	is->uncounted = sp_window_since(is->uncounted, was->uncounted);
	is->slow_responses = sp_window_since(is->slow_responses, was->slow_responses);
}

void sp_spans_unknown(struct sp_snapshot *s)
{
	s->checkpoint_count = s->event_count = 0;
	s->span_count_count = s->span_slowest_count = s->span_tail_count = 0;
	take_totals(&s->header.spans, &s->header.spans);
}

static void take_events(struct sp_snapshot *s, const struct sp_snapshot *before)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->event_count; i++)
		if (s->events[i].seq > before->span_log.next)
			s->events[kept++] = s->events[i];
	s->event_count = kept;
}

void sp_spans_take(struct sp_snapshot *s, const struct sp_snapshot *before)
{
	sp_traced_keep(s, before->taken_ns, UINT64_MAX);
	if (before->at) {
		sp_spans_unknown(s);
		return;
	}
	take_totals(&s->header.spans, &before->header.spans);
	take_slow(s, before);
	take_events(s, before);
	for (size_t i = 0; i < before->span_count_count && i < s->span_count_count; i++)
		if (s->span_counts[i].node == before->span_counts[i].node)
			take_count(&s->span_counts[i], &before->span_counts[i]);
	for (size_t i = 0; i < s->checkpoint_count; i++)
		s->checkpoints[i].t_ns = sp_window_since(s->checkpoints[i].t_ns, before->taken_ns);
	for (size_t i = 0; i < before->checkpoint_count && i < s->checkpoint_count; i++)
		if (s->checkpoints[i].node == before->checkpoints[i].node)
			s->checkpoints[i].count =
				sp_window_since(s->checkpoints[i].count, before->checkpoints[i].count);
}
