/* Stage 3b of the model: spans, in the order of a tree, those that took most first. */
#include "profiles/model/spans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/model/build.h"
#include "profiles/redact/redact.h"

#define Z95 1.96
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

static void add_count(struct sp_span_info *to, const struct sp_span_count *c)
{
	if (c->count && (!to->count || c->min_ns < to->min_ns))
		to->min_ns = c->min_ns;
	if (c->count && c->max_ns > to->max_ns)
		to->max_ns = c->max_ns;
	to->count += c->count;
	to->sum_ns += c->sum_ns;
	to->self_ns += c->self_ns;
	to->bytes += c->bytes;
	to->allocs += c->allocs;
	to->unended += c->unended;
	to->slow += c->slow;
	for (unsigned i = 0; i < SP_SPAN_CLASSES; i++)
		to->classes[i] += c->classes[i];
}

static void add_open(struct sp_profile *p, struct sp_span_info *nodes, const struct sp_span_thread *t)
{
	const struct sp_snapshot *s = p->snapshot;
	double ns_per_cycle = s->header.tsc_per_us_x1024 ? 1024000.0 / (double)s->header.tsc_per_us_x1024 : 0;

	for (uint32_t i = 0; i < t->depth; i++) {
		const struct sp_span_open *o = &t->open[i];
		uint64_t began = sp_whole((double)(int64_t)(o->began_tsc - s->header.start_tsc) * ns_per_cycle);
		uint64_t ns = s->taken_ns > began ? s->taken_ns - began : 0;
		struct sp_span_info *info = &nodes[o->node];

		if (!info->open++ || ns > info->open_ns) {
			info->open_ns = ns;
			info->open_tid = (int)t->owner;
		}
	}
}

/* A label is of the span that it stands in: what is sampled in it is sampled there. */
static void add_samples(struct sp_profile *p, struct sp_span_info *nodes)
{
	const struct sp_snapshot *s = p->snapshot;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		uint32_t node = s->stacks[i].span, own = node;

		while (own && nodes[own].kind == SP_SPAN_LABEL)
			own = s->span_nodes[own].parent;
		nodes[own].own_cpu_ns += path->user_ns + path->sys_ns;
		for (; node; node = s->span_nodes[node].parent) {
			nodes[node].cpu_ns += path->user_ns + path->sys_ns;
			nodes[node].samples += path->samples;
			nodes[node].own_sq_us2 += path->sq;
		}
	}
}

/* As of independent draws (error.h), and of one more. */
static void add_errors(struct sp_profile *p, struct sp_span_info *nodes, size_t count)
{
	double whole = (double)(p->sampled_user_ns + p->sampled_sys_ns), all = 0;

	for (size_t i = 0; i < p->path_count; i++)
		all += p->paths[i].sq;
	for (size_t i = 0; i < count && whole > 0; i++) {
		double part = (double)nodes[i].cpu_ns / whole;
		double variance = nodes[i].own_sq_us2 * (1 - 2 * part) + part * part * all;

		if (nodes[i].samples)
			nodes[i].cpu_error = Z95 * 1000 * sqrt(variance > 0 ? variance : 0);
	}
}

/* --- the order ---------------------------------------------------------------------------------- */

static bool is_shown(const struct sp_span_info *node)
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

/* Enters the children of `parent` and what is below them, depth first. by_size: all nodes, the largest first. */
static void put_children(struct sp_profile *p, const struct sp_span_info *nodes, const uint32_t *by_size, size_t count,
	uint32_t parent)
{
	uint32_t shown = parent ? p->span_place[parent] : NONE;

	for (size_t i = 0; i < count; i++) {
		uint32_t node = by_size[i];
		struct sp_span_info *info = &p->spans[p->span_count];

		if (p->snapshot->span_nodes[node].parent != parent || !is_shown(&nodes[node]))
			continue;
		p->span_place[node] = (uint32_t)p->span_count++;
		*info = nodes[node];
		info->parent = shown;
		info->depth = parent ? p->spans[shown].depth + 1 : 0;
		put_children(p, nodes, by_size, count, node);
	}
}

static void put_in_order(struct sp_profile *p, struct sp_span_info *nodes, size_t count)
{
	uint32_t *by_size = sp_alloc(count, sizeof(*by_size));
	size_t n = 0;

	for (uint32_t i = 1; i < count; i++) {
		p->span_place[i] = NONE;
		if (p->snapshot->span_nodes[i].name)
			by_size[n++] = i;
	}
	qsort_r(by_size, n, sizeof(*by_size), by_weight, nodes);
	put_children(p, nodes, by_size, n, 0);
	free(by_size);
}

void sp_spans_add_up(struct sp_profile *p)
{
	const struct sp_snapshot *s = p->snapshot;
	size_t count = s->span_node_count;
	struct sp_span_info *nodes;

	if (count < 2)
		return;
	nodes = sp_alloc(count, sizeof(*nodes));
	p->spans = sp_alloc(count, sizeof(*p->spans));
	p->span_place = sp_alloc(count, sizeof(*p->span_place));
	for (uint32_t i = 1; i < count; i++) {
		nodes[i].kind = (enum sp_span_kind)s->span_names[s->span_nodes[i].name].kind;
		nodes[i].name = shown_name(p, s, i);
	}
	for (size_t i = 1; i < s->span_count_count; i++)
		if (s->span_counts[i].node)
			add_count(&nodes[s->span_counts[i].node], &s->span_counts[i]);
	for (size_t i = 1; i < s->span_thread_count; i++)
		add_open(p, nodes, &s->span_threads[i]);
	add_samples(p, nodes);
	add_errors(p, nodes, count);
	put_in_order(p, nodes, count);
	free(nodes);
}

/* --- answers ------------------------------------------------------------------------------------ */

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

static bool is_within(const struct sp_snapshot *s, uint32_t node, const uint32_t *place, uint32_t span)
{
	while (node && place[node] != span)
		node = s->span_nodes[node].parent;
	return node != 0;
}

uint32_t sp_span_hottest(const struct sp_profile *p, uint32_t span, uint64_t *ns)
{
	uint64_t *sums = sp_alloc(p->function_count, sizeof(*sums));
	uint32_t hottest = NONE;

	*ns = 0;
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		uint32_t f;

		if (!path->depth || !is_within(p->snapshot, p->snapshot->stacks[i].span, p->span_place, span))
			continue;
		f = p->frames[p->frame_ids[path->first]].function;
		sums[f] += path->user_ns + path->sys_ns;
		if (sums[f] > *ns) {
			*ns = sums[f];
			hottest = f;
		}
	}
	free(sums);
	return hottest;
}
