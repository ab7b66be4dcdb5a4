/* Building the call tree. */
#include "profiles/tree.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/runs.h"

#define NODES_MAX 100000u

static uint64_t weight_of(const struct sp_path *path, enum sp_tree_weight weight)
{
	switch (weight) {
	case SP_TREE_INUSE:
		return path->inuse_bytes;
	case SP_TREE_ALLOCATED:
		return path->alloc_bytes;
	default:
		return path->user_ns + path->sys_ns;
	}
}

/* For each period up to SP_CYCLE_MAX: how many of the last steps equal the step one period before
 * them. A round of the cycle is complete when that is the period itself, and then dropped: it never is more. */
struct runs {
	uint8_t of[SP_CYCLE_MAX];
};

struct sequencer {
	struct sp_sequences *s;
	struct runs *runs; /* after each step of the sequence being built */
	size_t runs_capacity;
};

static void push_step(struct sequencer *b, struct sp_sequence *seq, uint32_t step)
{
	struct sp_sequences *s = b->s;
	uint32_t *at = s->steps + seq->first + seq->depth;
	uint32_t most = seq->depth < SP_CYCLE_MAX ? seq->depth : SP_CYCLE_MAX;
	struct runs *now = &b->runs[seq->depth], before = seq->depth ? now[-1] : (struct runs){0};

	*at = step;
	s->repeated[seq->first + seq->depth] = false;
	*now = (struct runs){0};
	seq->depth++;
	for (uint32_t period = 1; period <= most; period++) {
		if (at[-(ptrdiff_t)period] != step)
			continue;
		now->of[period - 1] = before.of[period - 1] + 1;
		if (now->of[period - 1] < period)
			continue;
		seq->depth -= period;
		s->repeated[seq->first + seq->depth - period] = true;
		return;
	}
}

/* The allocator's own frames say nothing about who allocates. */
static uint32_t leaf_of(const struct sp_profile *p, const struct sp_path *path, enum sp_tree_weight weight)
{
	uint32_t leaf = 0;

	if (weight == SP_TREE_CPU)
		return 0;
	while (leaf + 1 < path->depth && p->frames[p->frame_ids[path->first + leaf]].allocator)
		leaf++;
	return leaf;
}

static void add_sequence(struct sequencer *b, const struct sp_profile *p, const struct sp_path *path,
	enum sp_tree_weight weight)
{
	struct sp_sequences *s = b->s;
	struct sp_sequence *seq = &s->items[s->count++];
	uint32_t leaf = leaf_of(p, path, weight);

	sp_grow(&s->steps, &s->step_capacity, s->step_count + path->depth, sizeof(*s->steps));
	sp_grow(&s->repeated, &s->repeated_capacity, s->step_count + path->depth, sizeof(*s->repeated));
	sp_grow(&b->runs, &b->runs_capacity, path->depth, sizeof(*b->runs));
	*seq = (struct sp_sequence){.first = s->step_count, .weight = weight_of(path, weight)};
	for (uint32_t i = path->depth; i-- > leaf;) {
		const struct sp_frame *f = &p->frames[p->frame_ids[path->first + i]];

		push_step(b, seq, f->function << 1 | f->inlined);
	}
	s->step_count += seq->depth;
	s->total += seq->weight;
}

static int compare(const void *context, uint32_t x, uint32_t y, uint32_t *shared)
{
	const struct sp_sequences *s = context;
	const struct sp_sequence *a = &s->items[x], *b = &s->items[y];

	return sp_ids_compare(s->steps + a->first, a->depth, s->steps + b->first, b->depth, shared);
}

static void sort_and_merge(struct sp_sequences *s)
{
	struct sp_run *order = sp_alloc(s->count, sizeof(*order));
	struct sp_sequence *items = sp_alloc(s->count, sizeof(*items));
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		order[i].item = (uint32_t)i;
	sp_runs_sort(order, s->count, compare, s);
	for (size_t i = 0; i < s->count; i++) {
		const struct sp_sequence *item = &s->items[order[i].item];
		struct sp_sequence *last = kept ? &items[kept - 1] : NULL;

		if (!last || order[i].shared < item->depth || order[i].shared < last->depth) {
			items[kept++] = *item;
			continue;
		}
		last->weight += item->weight;
		for (uint32_t k = 0; k < last->depth; k++)
			s->repeated[last->first + k] |= s->repeated[item->first + k];
	}
	free(s->items);
	free(order);
	s->items = items;
	s->count = kept;
}

void sp_sequences_build(struct sp_sequences *s, const struct sp_profile *profile, enum sp_tree_weight weight)
{
	struct sequencer b = {.s = s};

	*s = (struct sp_sequences){0};
	s->items = sp_alloc(profile->path_count, sizeof(*s->items));
	for (size_t i = 0; i < profile->path_count; i++)
		if (weight_of(&profile->paths[i], weight))
			add_sequence(&b, profile, &profile->paths[i], weight);
	free(b.runs);
	sort_and_merge(s);
}

void sp_sequences_free(struct sp_sequences *s)
{
	free(s->steps);
	free(s->repeated);
	free(s->items);
	*s = (struct sp_sequences){0};
}

struct builder {
	const struct sp_sequences *s;
	uint64_t least;
	struct sp_tree_node *nodes;
	size_t count, capacity;
};

struct branch {
	size_t from, to; /* range of sequences */
	uint64_t weight;
};

static int by_weight(const void *a, const void *b)
{
	const struct branch *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->from < y->from ? -1 : 1;
}

/* Splits sequences [from, to), equal in their first `depth` steps, by the next step. */
static struct branch *split(const struct sp_sequences *s, size_t from, size_t to, uint32_t depth, size_t *count)
{
	struct branch *branches = NULL;
	size_t capacity = 0;

	*count = 0;
	for (size_t i = from; i < to; i++) {
		const struct sp_sequence *seq = &s->items[i];
		struct branch *last = *count ? &branches[*count - 1] : NULL;

		if (seq->depth <= depth)
			continue;
		if (!last || s->steps[s->items[last->from].first + depth] != s->steps[seq->first + depth]) {
			sp_grow(&branches, &capacity, *count + 1, sizeof(*branches));
			last = &branches[(*count)++];
			*last = (struct branch){.from = i};
		}
		last->to = i + 1;
		last->weight += seq->weight;
	}
	if (*count)
		qsort(branches, *count, sizeof(*branches), by_weight);
	return branches;
}

static void grow_tree(struct builder *b, size_t from, size_t to, uint32_t depth)
{
	size_t count;
	struct branch *branches = split(b->s, from, to, depth, &count);

	for (size_t i = 0; i < count && branches[i].weight >= b->least && b->count < NODES_MAX; i++) {
		struct sp_tree_node node = {.depth = depth, .total = branches[i].weight};

		node.step = b->s->steps[b->s->items[branches[i].from].first + depth];
		for (size_t k = branches[i].from; k < branches[i].to; k++) {
			const struct sp_sequence *seq = &b->s->items[k];

			node.repeated |= b->s->repeated[seq->first + depth];
			node.self += seq->depth == depth + 1 ? seq->weight : 0;
		}
		sp_grow(&b->nodes, &b->capacity, b->count + 1, sizeof(*b->nodes));
		b->nodes[b->count++] = node;
		grow_tree(b, branches[i].from, branches[i].to, depth + 1);
	}
	free(branches);
}

static int descending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/* A parent weighs at least what its child weighs and stands before it, so the heaviest `most`
 * nodes, ties taken in order, are a tree again. */
static size_t keep_heaviest(struct sp_tree_node *nodes, size_t count, size_t most)
{
	uint64_t *totals = sp_alloc(count, sizeof(*totals));
	uint64_t limit;
	size_t above = 0, kept = 0;

	for (size_t i = 0; i < count; i++)
		totals[i] = nodes[i].total;
	qsort(totals, count, sizeof(*totals), descending);
	limit = totals[most - 1];
	while (totals[above] > limit)
		above++;
	for (size_t i = 0, ties = most - above; i < count; i++)
		if (nodes[i].total > limit || (nodes[i].total == limit && ties && ties--))
			nodes[kept++] = nodes[i];
	free(totals);
	return kept;
}

struct sp_tree_node *sp_tree_build(const struct sp_sequences *s, uint64_t least, size_t most, size_t *count,
	size_t *all)
{
	struct builder b = {.s = s, .least = least ? least : 1};

	grow_tree(&b, 0, s->count, 0);
	*all = b.count;
	*count = most && b.count > most ? keep_heaviest(b.nodes, b.count, most) : b.count;
	return b.nodes;
}
