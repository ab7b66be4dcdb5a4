/* Folded stacks: root first, sorted, identical ones merged. What the complete part keeps and flame graphs
 * are drawn from. */
#ifndef SP_PROFILES_FOLDED_H
#define SP_PROFILES_FOLDED_H

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

/* Of a stack: what it was sampled with. */
enum sp_path_weight_kind {
	SP_WEIGHT_USER_NS,
	SP_WEIGHT_SYS_NS,
	SP_WEIGHT_CPU_SAMPLES,
	SP_CPU_WEIGHTS,
	SP_WEIGHT_ALLOC_BYTES = SP_CPU_WEIGHTS,
	SP_WEIGHT_ALLOC_COUNT,
	SP_WEIGHT_INUSE_BYTES,
	SP_WEIGHT_INUSE_COUNT,
	SP_WEIGHT_PEAK_BYTES,
	SP_WEIGHT_PEAK_COUNT,
	SP_WEIGHT_HEAP_SAMPLES,
	SP_HEAP_WEIGHTS_END,
	SP_WEIGHT_WAIT_NS = SP_HEAP_WEIGHTS_END,
	SP_WEIGHT_WAIT_COUNT,
	SP_WEIGHT_WAIT_SAMPLES,
	SP_WEIGHTS,
	SP_WEIGHT_WALL_NS = SP_WEIGHTS /* a sum: CPU time and waits */
};

/* Those of a kind of stacks: from .. to - 1. */
struct sp_weight_range {
	enum sp_path_weight_kind from, to;
};
extern const struct sp_weight_range sp_stack_weights[SP_STACK_KINDS];

#define SP_FOLDED_VALUES SP_WEIGHTS

struct sp_folded_row {
	size_t first; /* index into ids[] */
	uint32_t depth;
	uint32_t shared; /* once merged: how many frames it has in common with the row before; 0 the first */
	double values[SP_FOLDED_VALUES];
};

struct sp_folded {
	uint32_t *ids; /* root first */
	size_t id_count, id_capacity;
	struct sp_folded_row *rows;
	size_t count, capacity;
	uint32_t *places; /* once merged, by row before: its row; not of the struct's, NULL: not wanted */
};

/* A new row without frames and values. The pointer lives until the next call. */
struct sp_folded_row *sp_folded_add(struct sp_folded *f);

/* One more frame inside of those that the last row has. */
void sp_folded_push(struct sp_folded *f, uint32_t id);

/* Sorts the rows and adds the values of equal ones up. */
void sp_folded_merge(struct sp_folded *f);

/* Whether the profile has any of a kind. */
bool sp_stacks_on(const struct sp_profile *profile, enum sp_stack_kind kind);

/* The profile's stacks of a kind by frame, not merged yet; values by enum sp_path_weight_kind. */
void sp_fold_frames(struct sp_folded *f, const struct sp_profile *profile, enum sp_stack_kind kind);

/* The same by function, merged. */
void sp_fold_functions(struct sp_folded *f, const struct sp_profile *profile, enum sp_stack_kind kind);

void sp_folded_free(struct sp_folded *f);

uint64_t sp_path_weight(const struct sp_path *path, enum sp_path_weight_kind weight);

/* Whether a path counts for a kind of stacks with anything at all. */
bool sp_path_weighs(const struct sp_path *path, enum sp_stack_kind kind);

/* The innermost frame that is shown: that of the heap's sites in its stacks. */
uint32_t sp_path_leaf(const struct sp_profile *profile, const struct sp_path *path);

#endif
