/* Address ranges that may nest and overlap, answering "which is the innermost one here?".
 * Used for compilation units, functions, inlined code and ELF symbols alike. */
#ifndef SP_SYMBOLIZE_BASE_INTERVAL_MAP_H
#define SP_SYMBOLIZE_BASE_INTERVAL_MAP_H

#include <stddef.h>
#include <stdint.h>

struct sp_interval {
	uint64_t low, high; /* [low, high) */
	uint64_t reach;     /* largest high of this and all earlier intervals, once sorted */
	uint32_t rank;      /* of intervals starting at the same address the highest rank wins */
	uint32_t index;     /* the user's own; breaks ties, higher wins */
};

struct sp_interval_map {
	struct sp_interval *list;
	size_t count, capacity;
};

void sp_interval_map_free(struct sp_interval_map *intervals);

/* Empty and reversed ranges are ignored. */
void sp_interval_map_add(struct sp_interval_map *intervals, uint64_t low, uint64_t high, uint32_t rank, uint32_t index);

/* To be called after the last add and before the first find. */
void sp_interval_map_sort(struct sp_interval_map *intervals);

/* The covering interval that starts last, or NULL. */
const struct sp_interval *sp_interval_map_find(const struct sp_interval_map *intervals, uint64_t address);

#endif
