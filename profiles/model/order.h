/* A profile's stacks in the order in which neighbours have most of their outer frames in common. */
#ifndef SP_PROFILES_MODEL_ORDER_H
#define SP_PROFILES_MODEL_ORDER_H

#include "profiles/model/model.h"

/* Fills profile->order: paths by their frames from the root, frames by function, file and line. Neighbours then share as
 * many outer frames as they can, and whatever needs whole stacks looks only at the others: the nodes of the call tree. */
void sp_paths_sort(struct sp_profile *profile);

struct sp_ordered {
	uint32_t path;
	uint32_t depth;
	uint32_t shared; /* how many of its outer frames it has in common with the one before; 0 the first */
};

/* One path after the other in that order, of those that are wanted. All-zero to begin with. */
struct sp_path_walk {
	const struct sp_path *path;
	uint32_t index, depth; /* the path's */
	uint32_t shared;       /* as above, with the one that was wanted before */
	uint32_t *frames;      /* the path's frame_ids from the root */
	size_t next, node;     /* in order[], in tree[] */
	size_t capacity;
};

/* False at the end; nothing needs to be freed then. */
bool sp_path_walk_next(struct sp_path_walk *walk, const struct sp_profile *profile,
	bool (*wanted)(const struct sp_profile *profile, size_t path));

/* One to want: the stacks with CPU time. */
bool sp_path_has_time(const struct sp_profile *profile, size_t path);

#endif
