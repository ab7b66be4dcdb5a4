/* Who calls whom, and what a function costs with all it calls: the context that tells a function that was renamed
 * from a new one, and cost that moved from one that grew. */
#ifndef SP_PROFILES_COMPARE_CALLS_H
#define SP_PROFILES_COMPARE_CALLS_H

#include "profiles/compare/compare.h"

#define SP_NO_NODE UINT32_MAX

struct sp_calls *sp_calls_new(void);
void sp_calls_free(struct sp_calls *calls);

/* Adds a run's stacks. node_of[i]: the function's number in the comparison, or SP_NO_NODE; below node_count. share:
 * of a run in its side's mean. */
void sp_calls_add(struct sp_calls *calls, const struct sp_profile *p, const uint32_t *node_of, size_t node_count,
	enum sp_side side, double share);

/* After the last run, before the questions below. family[i]: functions that only a number tells apart have the same one,
 * a function's number; it must stay as long as the calls. */
void sp_calls_sort(struct sp_calls *calls, const uint32_t *family);

/* Whether every run told its stacks of that kind. */
bool sp_calls_known(const struct sp_calls *calls, enum sp_row_kind kind);

/* How much of what `old` was called by in the baseline (callees: of what it called and its own cost) is what `new` is
 * called by now, 0 to 1. All that is in one side only counts as the same: it may have been renamed as well; so does
 * a family. */
double sp_calls_alike(const struct sp_calls *calls, enum sp_row_kind kind, bool callees, uint32_t old, uint32_t new);

/* The function that most of a function's cost is called by, or SP_NO_NODE. */
uint32_t sp_calls_parent(const struct sp_calls *calls, enum sp_row_kind kind, uint32_t node);

/* Marks a function and all below it; reached[] is of sp_calls_nodes() items. */
void sp_calls_reach(const struct sp_calls *calls, enum sp_row_kind kind, uint32_t node, bool *reached);
size_t sp_calls_nodes(const struct sp_calls *calls);

#endif
