/* Building the call tree. */
#include "profiles/model/tree.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/base/runs.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"

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

static bool takes_time(const struct sp_profile *p, size_t path)
{
	return weight_of(&p->paths[path], SP_TREE_CPU) > 0;
}

static bool is_in_use(const struct sp_profile *p, size_t path)
{
	return weight_of(&p->paths[path], SP_TREE_INUSE) > 0;
}

static bool is_allocated(const struct sp_profile *p, size_t path)
{
	return weight_of(&p->paths[path], SP_TREE_ALLOCATED) > 0;
}

/* For each period up to SP_CYCLE_MAX: how many of the last steps equal the step one period before
 * them. A round of the cycle is complete when that is the period itself, and then dropped: it never is more. */
struct runs {
	uint8_t of[SP_CYCLE_MAX];
};

/* The sequence being built, and after each of its steps the runs. */
struct slot {
	struct runs runs;
	bool repeated;
};

#define NO_FLAG UINT32_MAX
#define NO_STEP UINT32_MAX

/* What a frame's step replaced. */
struct undo {
	uint32_t depth; /* of the sequence before it: where the step went */
	uint32_t step;  /* what was there */
	struct slot slot;
	uint32_t flag; /* slot that it marked as repeated */
};

struct sequencer {
	struct sp_sequences *s;
	const struct sp_profile *profile;
	uint32_t *steps; /* of the sequence, behind SP_CYCLE_MAX that no step equals */
	struct slot *slots;
	uint32_t depth;
	struct undo *undo; /* by frame, from the root */
	uint32_t frames;
	size_t step_capacity, slot_capacity, undo_capacity;
};

/* Whether the step is among the last SP_CYCLE_MAX: as a rule it is not. */
static bool is_near(const uint32_t *at, uint32_t step)
{
	uint32_t same = 0;

	for (uint32_t i = 0; i < SP_CYCLE_MAX; i++)
		same |= at[(ptrdiff_t)i - (ptrdiff_t)SP_CYCLE_MAX] == step;
	return same;
}

/* Drops the round of a cycle that is complete with the step at `at`. */
static void fold(struct sequencer *b, uint32_t at, struct undo *undo)
{
	const uint32_t *steps = b->steps + SP_CYCLE_MAX + at;
	struct slot *now = &b->slots[at];

	for (uint32_t period = 1; period <= SP_CYCLE_MAX; period++) {
		if (steps[-(ptrdiff_t)period] != *steps)
			continue;
		now->runs.of[period - 1] = now[-1].runs.of[period - 1] + 1;
		if (now->runs.of[period - 1] < period)
			continue;
		b->depth -= period;
		undo->flag = b->slots[b->depth - period].repeated ? NO_FLAG : b->depth - period;
		b->slots[b->depth - period].repeated = true;
		return;
	}
}

static void push_frame(struct sequencer *b, uint32_t id)
{
	const struct sp_profile_frame *f = &b->profile->frames[id];
	uint32_t step = f->function << 1 | f->inlined, *at = b->steps + SP_CYCLE_MAX + b->depth;
	struct undo *undo = &b->undo[b->frames++];

	*undo = (struct undo){b->depth, *at, b->slots[b->depth], NO_FLAG};
	*at = step;
	b->slots[b->depth++] = (struct slot){0};
	if (is_near(at, step))
		fold(b, b->depth - 1, undo);
}

static void pop_frame(struct sequencer *b)
{
	const struct undo *undo = &b->undo[--b->frames];

	if (undo->flag != NO_FLAG)
		b->slots[undo->flag].repeated = false;
	b->depth = undo->depth;
	b->steps[SP_CYCLE_MAX + b->depth] = undo->step;
	b->slots[b->depth] = undo->slot;
}

/* To the allocation site: what is inside of it says nothing about who allocates. */
static uint32_t frames_of(const struct sp_profile *p, const struct sp_path_walk *walk, enum sp_tree_weight weight)
{
	return weight == SP_TREE_CPU ? walk->depth : walk->depth - sp_path_site(p, walk->path);
}

static void make_room(struct sequencer *b, uint32_t depth)
{
	size_t had = b->step_capacity;

	sp_grow(&b->steps, &b->step_capacity, depth + SP_CYCLE_MAX, sizeof(*b->steps));
	sp_grow(&b->slots, &b->slot_capacity, depth, sizeof(*b->slots));
	sp_grow(&b->undo, &b->undo_capacity, depth, sizeof(*b->undo));
	for (uint32_t i = 0; !had && i < SP_CYCLE_MAX; i++)
		b->steps[i] = NO_STEP;
}

/* The path's frames are pushed that the path before did not have. */
static void add_sequence(struct sequencer *b, const struct sp_path_walk *walk, enum sp_tree_weight weight)
{
	uint32_t frames = frames_of(b->profile, walk, weight);
	struct sp_sequences *s = b->s;
	struct sp_sequence *seq = &s->items[s->count++];

	make_room(b, frames);
	while (b->frames > walk->shared || b->frames > frames)
		pop_frame(b);
	while (b->frames < frames)
		push_frame(b, walk->frames[b->frames]);
	*seq = (struct sp_sequence){.first = s->step_count,
		.depth = b->depth,
		.path = walk->index,
		.weight = weight_of(walk->path, weight)};
	sp_grow(&s->steps, &s->step_capacity, s->step_count + b->depth, sizeof(*s->steps));
	sp_grow(&s->repeated, &s->repeated_capacity, s->step_count + b->depth, sizeof(*s->repeated));
	memcpy(s->steps + s->step_count, b->steps + SP_CYCLE_MAX, b->depth * sizeof(*s->steps));
	for (uint32_t i = 0; i < b->depth; i++)
		s->repeated[s->step_count + i] = b->slots[i].repeated;
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
		last->path = item->path < last->path ? item->path : last->path;
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
	bool (*const wanted[])(const struct sp_profile *, size_t) = {
		[SP_TREE_CPU] = takes_time, [SP_TREE_INUSE] = is_in_use, [SP_TREE_ALLOCATED] = is_allocated};
	struct sequencer b = {.s = s, .profile = profile};
	struct sp_path_walk walk = {0};

	*s = (struct sp_sequences){0};
	s->items = sp_alloc(profile->path_count, sizeof(*s->items));
	sp_grow(&s->steps, &s->step_capacity, profile->frame_id_count, sizeof(*s->steps));
	sp_grow(&s->repeated, &s->repeated_capacity, profile->frame_id_count, sizeof(*s->repeated));
	while (sp_path_walk_next(&walk, profile, wanted[weight]))
		add_sequence(&b, &walk, weight);
	free(b.steps);
	free(b.slots);
	free(b.undo);
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
