/* The two sides' call graphs, from the stacks of all runs. */
#include "profiles/compare/calls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct edge {
	uint32_t caller, callee;
	enum sp_row_kind kind;
	size_t last_path;      /* 1 + the path counted last: an edge counts once a stack */
	double cost[SP_SIDES]; /* mean of the runs */
};

struct node {
	bool there[SP_ROW_KINDS][SP_SIDES]; /* it or another of its family has cost */
	size_t last_path;
	double cost[SP_ROW_KINDS][SP_SIDES]; /* with all it calls */
};

struct sp_calls {
	struct node *nodes;
	size_t node_count, node_capacity;
	struct edge *edges;
	size_t edge_count, edge_capacity, path_count;
	struct sp_map index;             /* (kind and caller, callee) */
	uint32_t *by_caller, *by_callee; /* edges in the order of kind, that end, and the other end's family */
	const uint32_t *family;
	bool missing[SP_ROW_KINDS];
};

struct sp_calls *sp_calls_new(void)
{
	return sp_alloc(1, sizeof(struct sp_calls));
}

void sp_calls_free(struct sp_calls *calls)
{
	if (!calls)
		return;
	sp_map_free(&calls->index);
	free(calls->nodes);
	free(calls->edges);
	free(calls->by_caller);
	free(calls->by_callee);
	free(calls);
}

static double path_cost(const struct sp_path *path, enum sp_row_kind kind)
{
	switch (kind) {
	case SP_ROW_CPU:
		return (double)path->user_ns + (double)path->sys_ns;
	case SP_ROW_PEAK:
		return (double)path->peak_bytes;
	case SP_ROW_ALLOCATED:
		return (double)path->alloc_bytes;
	default:
		return (double)path->inuse_bytes;
	}
}

static struct edge *edge_of(struct sp_calls *calls, enum sp_row_kind kind, uint32_t caller, uint32_t callee)
{
	int found;
	uint32_t *cell = sp_map_at(&calls->index, (uint64_t)kind << 32 | caller, callee, &found);

	if (!found) {
		*cell = (uint32_t)calls->edge_count;
		sp_grow(&calls->edges, &calls->edge_capacity, calls->edge_count + 1, sizeof(*calls->edges));
		calls->edges[calls->edge_count++] = (struct edge){.caller = caller, .callee = callee, .kind = kind};
	}
	return &calls->edges[*cell];
}

static void add_path(struct sp_calls *calls, enum sp_row_kind kind, const uint32_t *nodes, size_t depth,
	enum sp_side side, double cost)
{
	calls->path_count++;
	for (size_t i = 0; i < depth; i++) {
		struct node *node = &calls->nodes[nodes[i]];
		struct edge *edge;

		if (node->last_path != calls->path_count)
			node->cost[kind][side] += cost;
		node->last_path = calls->path_count;
		if (i + 1 == depth)
			break;
		edge = edge_of(calls, kind, nodes[i + 1], nodes[i]);
		if (edge->last_path != calls->path_count)
			edge->cost[side] += cost;
		edge->last_path = calls->path_count;
	}
}

static bool has_kind(const struct sp_profile *p, enum sp_row_kind kind)
{
	return kind == SP_ROW_CPU ? p->total_ns > 0 : p->site_count > 0;
}

void sp_calls_add(struct sp_calls *calls, const struct sp_profile *p, const uint32_t *node_of, size_t node_count,
	enum sp_side side, double share)
{
	bool any[SP_STACK_KINDS] = {false};
	uint32_t *nodes = NULL;
	size_t capacity = 0;

	sp_grow(&calls->nodes, &calls->node_capacity, node_count, sizeof(*calls->nodes));
	while (calls->node_count < node_count)
		calls->nodes[calls->node_count++] = (struct node){0};
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		size_t depth = 0;

		any[path->kind] = true;
		sp_grow(&nodes, &capacity, path->depth + 1, sizeof(*nodes));
		for (uint32_t k = 0; k < path->depth; k++) {
			uint32_t node = node_of[p->frames[p->frame_ids[path->first + k]].function];

			if (node != SP_NO_NODE)
				nodes[depth++] = node;
		}
		for (enum sp_row_kind kind = 0; kind < SP_ROW_KINDS; kind++)
			if (path_cost(path, kind) > 0)
				add_path(calls, kind, nodes, depth, side, share * path_cost(path, kind));
	}
	for (enum sp_row_kind kind = 0; kind < SP_ROW_KINDS; kind++)
		calls->missing[kind] = calls->missing[kind] ||
			(has_kind(p, kind) && !any[kind == SP_ROW_CPU ? SP_STACKS_CPU : SP_STACKS_HEAP]);
	free(nodes);
}

/* --- edges of one node */

static uint32_t end_of(const struct edge *edge, bool callee)
{
	return callee ? edge->callee : edge->caller;
}

static int order_edges(const struct edge *x, const struct edge *y, bool callee)
{
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (end_of(x, callee) > end_of(y, callee)) - (end_of(x, callee) < end_of(y, callee));
}

/* Those of one end by the other's family, so that two nodes' neighbours can be compared in one pass. */
static int order_all(const uint32_t *a, const uint32_t *b, const struct sp_calls *calls, bool callee)
{
	const struct edge *x = &calls->edges[*a], *y = &calls->edges[*b];
	uint32_t p = calls->family[end_of(x, !callee)], q = calls->family[end_of(y, !callee)];
	int order = order_edges(x, y, callee);

	return order ? order : (p > q) - (p < q);
}

static int by_caller(const void *a, const void *b, void *calls)
{
	return order_all(a, b, calls, false);
}

static int by_callee(const void *a, const void *b, void *calls)
{
	return order_all(a, b, calls, true);
}

static void find_families(struct sp_calls *calls)
{
	for (size_t i = 0; i < calls->node_count; i++)
		for (unsigned k = 0; k < SP_ROW_KINDS * SP_SIDES; k++)
			if (calls->nodes[i].cost[k / SP_SIDES][k % SP_SIDES] > 0)
				calls->nodes[calls->family[i]].there[k / SP_SIDES][k % SP_SIDES] = true;
}

void sp_calls_sort(struct sp_calls *calls, const uint32_t *family)
{
	size_t n = calls->edge_count;

	calls->family = family;
	find_families(calls);
	calls->by_caller = sp_alloc(n + 1, sizeof(*calls->by_caller));
	calls->by_callee = sp_alloc(n + 1, sizeof(*calls->by_callee));
	for (size_t i = 0; i < n; i++)
		calls->by_caller[i] = calls->by_callee[i] = (uint32_t)i;
	if (!n)
		return;
	qsort_r(calls->by_caller, n, sizeof(*calls->by_caller), by_caller, calls);
	qsort_r(calls->by_callee, n, sizeof(*calls->by_callee), by_callee, calls);
}

/* The edges that the node is the callee (else the caller) of. */
static const uint32_t *edges_of(const struct sp_calls *calls, enum sp_row_kind kind, bool callee, uint32_t node,
	size_t *count)
{
	const uint32_t *order = callee ? calls->by_callee : calls->by_caller;
	const struct edge wanted = {.kind = kind, .caller = node, .callee = node};
	size_t low = 0, high = calls->edge_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (order_edges(&calls->edges[order[middle]], &wanted, callee) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*count = 0; low + *count < calls->edge_count; ++*count)
		if (order_edges(&calls->edges[order[low + *count]], &wanted, callee) != 0)
			break;
	return order + low;
}

bool sp_calls_known(const struct sp_calls *calls, enum sp_row_kind kind)
{
	return !calls->missing[kind];
}

size_t sp_calls_nodes(const struct sp_calls *calls)
{
	return calls->node_count;
}

/* What a node's neighbours are of its cost on a side. */
struct neighbours {
	const struct sp_calls *calls;
	enum sp_row_kind kind;
	enum sp_side side;
	bool callees;
	const uint32_t *order;
	size_t count;
	double whole, alone, rest; /* its cost; of neighbours the other side does not have; of none */
};

/* The family that neighbour i begins, what it is of the node's cost, and the next one. */
static uint32_t neighbour(const struct neighbours *n, size_t i, double *share, size_t *next)
{
	const uint32_t family = n->calls->family[end_of(&n->calls->edges[n->order[i]], n->callees)];

	for (*share = 0; i < n->count; i++) {
		const struct edge *edge = &n->calls->edges[n->order[i]];

		if (n->calls->family[end_of(edge, n->callees)] != family)
			break;
		*share += edge->cost[n->side] / n->whole;
	}
	*next = i;
	return family;
}

static struct neighbours look_around(const struct sp_calls *calls, enum sp_row_kind kind, bool callees, uint32_t node,
	enum sp_side side)
{
	struct neighbours n = {.calls = calls, .kind = kind, .side = side, .callees = callees, .rest = 1};

	n.whole = fmax(calls->nodes[node].cost[kind][side], 1);
	n.order = edges_of(calls, kind, !callees, node, &n.count);
	for (size_t i = 0; i < n.count;) {
		double share;
		uint32_t other = neighbour(&n, i, &share, &i);

		n.rest -= share;
		if (!calls->nodes[other].there[kind][!side])
			n.alone += share;
	}
	n.rest = fmax(n.rest, 0);
	return n;
}

double sp_calls_alike(const struct sp_calls *calls, enum sp_row_kind kind, bool callees, uint32_t old, uint32_t new)
{
	struct neighbours a = look_around(calls, kind, callees, old, SP_BASELINE);
	struct neighbours b = look_around(calls, kind, callees, new, SP_CURRENT);
	double same = fmin(a.rest, b.rest) + fmin(a.alone, b.alone);

	for (size_t i = 0, k = 0; i < a.count && k < b.count;) {
		size_t next_i, next_k;
		double x, y;
		uint32_t p = neighbour(&a, i, &x, &next_i), q = neighbour(&b, k, &y, &next_k);

		if (p == q)
			same += fmin(x, y);
		i = p <= q ? next_i : i;
		k = q <= p ? next_k : k;
	}
	return fmin(same, 1);
}

uint32_t sp_calls_parent(const struct sp_calls *calls, enum sp_row_kind kind, uint32_t node)
{
	uint32_t parent = SP_NO_NODE;
	double most = 0;
	size_t count;
	const uint32_t *order = edges_of(calls, kind, true, node, &count);

	for (size_t i = 0; i < count; i++) {
		const struct edge *edge = &calls->edges[order[i]];

		if (edge->caller == node || edge->cost[0] + edge->cost[1] <= most)
			continue;
		most = edge->cost[0] + edge->cost[1];
		parent = edge->caller;
	}
	return parent;
}

void sp_calls_reach(const struct sp_calls *calls, enum sp_row_kind kind, uint32_t node, bool *reached)
{
	uint32_t *open = sp_alloc(calls->node_count, sizeof(*open));
	size_t used = 0;

	memset(reached, 0, calls->node_count * sizeof(*reached));
	reached[node] = true;
	open[used++] = node;
	while (used) {
		size_t count;
		const uint32_t *order = edges_of(calls, kind, false, open[--used], &count);

		for (size_t i = 0; i < count; i++) {
			uint32_t callee = calls->edges[order[i]].callee;

			if (reached[callee])
				continue;
			reached[callee] = true;
			open[used++] = callee;
		}
	}
	free(open);
}
