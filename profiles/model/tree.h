/* Paths grouped from the root: the call tree and the hot paths.
 *
 * Sequences of functions, root first, with repeating cycles folded (a recursion of period 1 to
 * SP_CYCLE_MAX becomes one round of it, marked), sorted so that equal prefixes lie together. */
#ifndef SP_PROFILES_TREE_H
#define SP_PROFILES_TREE_H

#include "profiles/model/model.h"

#define SP_CYCLE_MAX 8u

/* A step packs (function << 1 | inlined). */
struct sp_sequence {
	size_t first; /* index into steps[] */
	uint32_t depth;
	uint32_t path; /* the first of those it comes from */
	uint64_t weight;
};

struct sp_sequences {
	uint32_t *steps;
	bool *repeated; /* per step: starts a folded cycle */
	size_t step_count, step_capacity, repeated_capacity;
	struct sp_sequence *items; /* sorted; equal ones merged */
	size_t count;
	uint64_t total;
};

enum sp_tree_weight { SP_TREE_CPU, SP_TREE_INUSE, SP_TREE_ALLOCATED };

void sp_sequences_build(struct sp_sequences *s, const struct sp_profile *profile, enum sp_tree_weight weight);
void sp_sequences_free(struct sp_sequences *s);

struct sp_tree_node {
	uint32_t step;
	uint32_t depth;
	uint64_t total, self;
	bool repeated;
};

/* The nodes of the tree that weigh at least `least`, parents before children, heaviest child
 * first; at most `most` of them, the heaviest. *all counts those that weigh enough. free() it. */
struct sp_tree_node *sp_tree_build(const struct sp_sequences *s, uint64_t least, size_t most, size_t *count,
	size_t *all);

#endif
