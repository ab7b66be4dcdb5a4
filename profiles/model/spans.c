/* Stage 3b of the model: spans, in the order of a tree, those that took most first. */
#include "profiles/model/spans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/model/build.h"
#include "profiles/model/error.h"
#include "profiles/model/span_parts.h"
#include "profiles/redact/redact.h"
#include "profiles/spool/spans.h"
#include "profiles/spool/window.h"

#define Z95 1.96
#define OPEN_SAMPLES_LEAST 5u /* fewer tell nothing about where a span was */
#define NONE UINT32_MAX

void sp_span_put_name(struct sp_buffer *out, const struct sp_snapshot *s, uint32_t node)
{
	const char *text = sp_snapshot_text(s, s->span_names[s->span_nodes[node].name].text);

	sp_redact_text(out, text, strlen(text));
}

static const char *shown_name(struct sp_profile *p, const struct sp_snapshot *s, uint32_t node)
{
	struct sp_buffer shown = {0};
	const char *copy;

	sp_span_put_name(&shown, s, node);
	copy = sp_pool_copy(&p->pool, shown.data, shown.length);
	sp_buffer_free(&shown);
	return copy;
}

static void add_spread(struct sp_span_spread *to, const struct sp_span_spread *what)
{
	to->own_ns += what->own_ns;
	to->us_sq += what->us_sq;
	to->kb_sq += what->kb_sq;
	to->measured += what->measured;
	to->wait_ns += what->wait_ns;
	to->cpu_ns += what->cpu_ns;
	to->faults += what->faults;
	to->cpu_us_sq += what->cpu_us_sq;
	to->wait_us_sq += what->wait_us_sq;
	to->faults_sq += what->faults_sq;
}

void sp_span_add_count(struct sp_span_info *to, const struct sp_span_count *c)
{
	if (c->count && (!to->count || c->min_ns < to->min_ns))
		to->min_ns = c->min_ns;
	if (c->count && c->max_ns > to->max_ns)
		to->max_ns = c->max_ns;
	to->count += c->count;
	to->sum_ns += c->sum_ns;
	to->self_ns += c->self_ns;
	to->bytes += c->bytes;
	to->unended += c->unended;
	to->slow += c->slow;
	for (unsigned i = 0; i < SP_SPAN_CLASSES; i++)
		to->classes[i] += c->classes[i];
	add_spread(&to->spread, &c->spread);
	to->tail.count += c->tail.count;
	to->tail.bytes += c->tail.bytes;
	add_spread(&to->tail.spread, &c->tail.spread);
}

static void add_open(struct sp_profile *p, struct sp_span_info *nodes, uint32_t thread)
{
	const struct sp_snapshot *s = p->snapshot;
	const struct sp_span_thread *t = &s->span_threads[thread];

	for (uint32_t i = 0; i < t->depth; i++) {
		const struct sp_span_open *o = &t->open[i];
		uint64_t began_ns = sp_spans_time_ns(&s->header, o->began_tsc),
			 ns = sp_window_since(s->taken_ns, began_ns);
		struct sp_span_info *info = &nodes[o->node];

		if (!info->open++ || ns > info->open_ns) {
			info->open_ns = ns;
			info->open_tid = (int)t->owner;
			info->open_of = thread;
			info->open_at = i;
		}
	}
}

/* The function that was interrupted; false: it is none of the program's CPU time, or not known. */
static bool sampled_in(const struct sp_profile *p, const struct sp_span_sample *sample, uint32_t *function)
{
	const struct sp_path *path = &p->paths[sample->stack];

	if (!sample->stack || (p->snapshot->stacks[sample->stack].flags & (SP_STACK_IS_HEAP | SP_STACK_IS_WAIT)) ||
		!path->depth)
		return false;
	*function = p->frames[p->frame_ids[path->first]].function;
	return *function != SP_PSEUDO_FILTERED;
}

/* Where the oldest open one is, or was: in what most of its samples are in. */
static void find_open_function(const struct sp_profile *p, struct sp_span_info *span)
{
	const struct sp_span_thread *t = &p->snapshot->span_threads[span->open_of];
	uint32_t from = t->open[span->open_at].sampled, function, other;
	uint64_t all = 0, most = 0;

	for (uint32_t i = from; i < t->sampled; i++) {
		uint64_t in = 0;

		if (!sampled_in(p, &t->samples[i], &function))
			continue;
		all += t->samples[i].samples;
		for (uint32_t k = from; k < t->sampled; k++)
			if (sampled_in(p, &t->samples[k], &other) && other == function)
				in += t->samples[k].samples;
		if (in > most)
			span->open_function = function;
		most = in > most ? in : most;
	}
	span->open_samples = all;
	span->open_in = all >= OPEN_SAMPLES_LEAST && most > all / 2 ? most : 0;
}

static void add_samples(struct sp_profile *p, struct sp_span_info *nodes)
{
	const struct sp_snapshot *s = p->snapshot;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];

		for (uint32_t node = s->stacks[i].span; node; node = s->span_nodes[node].parent) {
			nodes[node].cpu_ns += path->user_ns + path->sys_ns;
			nodes[node].samples += path->samples;
			nodes[node].sq_us2 += path->sq;
		}
	}
}

static struct sp_sum sum_of(uint64_t ns, double sq_us2, uint64_t samples)
{
	return (struct sp_sum){.weight = (double)ns / 1e3, .sq = sq_us2, .samples = samples};
}

static void add_errors(struct sp_profile *p, struct sp_span_info *nodes, size_t count)
{
	struct sp_sum all = sum_of(p->sampled_user_ns + p->sampled_sys_ns, 0, p->samples);

	for (size_t i = 0; i < p->path_count; i++)
		all.sq += p->paths[i].sq;
	for (size_t i = 1; i < count && all.weight > 0; i++) {
		struct sp_sum part = sum_of(nodes[i].cpu_ns, nodes[i].sq_us2, nodes[i].samples);

		if (part.samples)
			nodes[i].cpu_error = sp_independent_error(&part, &all) * all.weight * 1e3;
	}
}

/* --- the order ---------------------------------------------------------------------------------- */

static bool is_met(const struct sp_span_info *node)
{
	return node->kind != SP_SPAN_MEASURED && (node->count || node->open || node->samples);
}

/* What decides a node's place among its siblings. A label has no time of its own. */
static uint64_t weight(const struct sp_span_info *node)
{
	return node->kind == SP_SPAN_LABEL ? node->cpu_ns : node->sum_ns + node->open_ns;
}

static int by_weight(const void *left, const void *right, void *nodes)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	uint64_t wa = weight((struct sp_span_info *)nodes + a), wb = weight((struct sp_span_info *)nodes + b);

	if (wa != wb)
		return wa > wb ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Children, the first of each node and the next of the same one; 0 none. */
struct links {
	uint32_t *first, *next;
};

/* What was met, and what that stands in, the smallest first, so that the largest come to the front. */
static void link_children(const struct sp_profile *p, struct sp_span_info *nodes, size_t count, struct links *links)
{
	uint32_t *by_size = sp_alloc(count, sizeof(*by_size));
	bool *shown = sp_alloc(count, sizeof(*shown));
	size_t n = 0;

	for (uint32_t i = (uint32_t)count; i-- > 1;) {
		shown[i] |= p->snapshot->span_nodes[i].name && is_met(&nodes[i]);
		if (!shown[i])
			continue;
		shown[p->snapshot->span_nodes[i].parent] = true;
		by_size[n++] = i;
	}
	qsort_r(by_size, n, sizeof(*by_size), by_weight, nodes);
	while (n-- > 0) {
		uint32_t node = by_size[n], parent = p->snapshot->span_nodes[node].parent;

		links->next[node] = links->first[parent];
		links->first[parent] = node;
	}
	free(by_size);
	free(shown);
}

/* The node that comes after one in the order of the tree. */
static uint32_t next_node(const struct sp_profile *p, const struct links *links, uint32_t node)
{
	if (links->first[node])
		return links->first[node];
	while (node && !links->next[node])
		node = p->snapshot->span_nodes[node].parent;
	return links->next[node];
}

/* place: of each node, in spans[]. */
static void put_in_order(struct sp_profile *p, struct sp_span_info *nodes, size_t count, uint32_t *place)
{
	struct links links = {sp_alloc(count, sizeof(uint32_t)), sp_alloc(count, sizeof(uint32_t))};

	link_children(p, nodes, count, &links);
	place[0] = NONE;
	for (uint32_t node = links.first[0]; node; node = next_node(p, &links, node)) {
		struct sp_span_info *info = &p->spans[p->span_count];

		place[node] = (uint32_t)p->span_count++;
		*info = nodes[node];
		info->node = node;
		info->parent = place[p->snapshot->span_nodes[node].parent];
		info->depth = info->parent == NONE ? 0 : p->spans[info->parent].depth + 1;
	}
	free(links.first);
	free(links.next);
}

void sp_spans_add_up(struct sp_profile *p, const uint32_t *site_frame)
{
	const struct sp_snapshot *s = p->snapshot;
	size_t count = s->span_node_count;
	struct sp_span_info *nodes;
	uint32_t *place;

	if (count < 2)
		return;
	nodes = sp_alloc(count, sizeof(*nodes));
	p->spans = sp_alloc(count, sizeof(*p->spans));
	place = sp_alloc(count, sizeof(*place));
	for (uint32_t i = 1; i < count; i++) {
		nodes[i].kind = (enum sp_span_kind)s->span_names[s->span_nodes[i].name].kind;
		nodes[i].name = shown_name(p, s, i);
	}
	for (size_t i = 1; i < s->span_count_count; i++)
		if (s->span_counts[i].node)
			sp_span_add_count(&nodes[s->span_counts[i].node], &s->span_counts[i]);
	for (uint32_t i = 1; i < s->span_thread_count; i++)
		add_open(p, nodes, i);
	add_samples(p, nodes);
	add_errors(p, nodes, count);
	memset(place, 0xff, count * sizeof(*place));
	put_in_order(p, nodes, count, place);
	sp_span_parts_add_up(p, place, site_frame);
	for (size_t i = 0; i < p->span_count; i++) {
		double error;

		if (p->spans[i].open)
			find_open_function(p, &p->spans[i]);
		p->spans[i].median_ns = sp_span_quantile(&p->spans[i], 0.5, &error);
		p->spans[i].p99_ns = sp_span_quantile(&p->spans[i], 0.99, &error);
	}
	free(place);
	free(nodes);
}

/* --- answers ------------------------------------------------------------------------------------ */

void sp_span_put_path(struct sp_buffer *out, const struct sp_profile *profile, const struct sp_span_info *span,
	void (*put)(struct sp_buffer *out, const char *name))
{
	if (span->parent != UINT32_MAX) {
		sp_span_put_path(out, profile, &profile->spans[span->parent], put);
		sp_buffer_puts(out, SP_SPAN_INSIDE);
	}
	put(out, span->name);
}

uint64_t sp_span_began_ns(const struct sp_profile *profile, const struct sp_span_slowest *one)
{
	uint64_t ended = sp_spans_time_ns(&profile->snapshot->header, one->end_tsc);

	return ended > one->ns ? ended - one->ns : 0;
}

/* Where in the order of times the one of `rank` stands: in the middle of its class's span, as far as it goes. */
static double time_at(const struct sp_span_info *span, double rank)
{
	double before = 0;

	for (uint32_t i = 0; i < SP_SPAN_CLASSES; i++) {
		double n = (double)span->classes[i], low = (double)sp_span_class_ns(i);
		double high = i + 1 < SP_SPAN_CLASSES ? (double)sp_span_class_ns(i + 1) : low;

		if (n && before + n >= rank) {
			low = low < (double)span->min_ns ? (double)span->min_ns : low;
			high = high > (double)span->max_ns ? (double)span->max_ns : high;
			return low + (high - low) * (rank - before) / n;
		}
		before += n;
	}
	return (double)span->max_ns;
}

/* Ranks are binomial; where in its class a time stands is not known better than the class is wide. */
uint64_t sp_span_quantile(const struct sp_span_info *span, double rank, double *error)
{
	double n = (double)span->count, at = rank * n, spread = Z95 * sqrt(n * rank * (1 - rank));
	double low, high, time;

	*error = 0;
	if (!span->count)
		return 0;
	time = time_at(span, at);
	low = time_at(span, at - spread > 0 ? at - spread : 0);
	high = time_at(span, at + spread < n ? at + spread : n);
	*error = (high - low) / 2 + time / 16;
	return sp_whole(time);
}
