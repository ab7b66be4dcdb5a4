/* Address ranges: see interval_map.h. */
#include "symbolize/base/interval_map.h"

#include <stdlib.h>

#include "symbolize/base/memory.h"

/* Intervals looked at per query: overlaps deeper than this do not come from a compiler. */
#define SCAN_LIMIT 65536u

void sp_interval_map_free(struct sp_interval_map *intervals)
{
	free(intervals->list);
	*intervals = (struct sp_interval_map){0};
}

void sp_interval_map_add(struct sp_interval_map *intervals, uint64_t low, uint64_t high, uint32_t rank, uint32_t index)
{
	if (high <= low)
		return;
	sp_grow(&intervals->list, &intervals->capacity, intervals->count + 1, sizeof(*intervals->list));
	intervals->list[intervals->count++] =
		(struct sp_interval){.low = low, .high = high, .rank = rank, .index = index};
}

static int compare(const void *left, const void *right)
{
	const struct sp_interval *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void sp_interval_map_sort(struct sp_interval_map *intervals)
{
	uint64_t reach = 0;

	if (intervals->count)
		qsort(intervals->list, intervals->count, sizeof(*intervals->list), compare);
	for (size_t i = 0; i < intervals->count; i++) {
		if (intervals->list[i].high > reach)
			reach = intervals->list[i].high;
		intervals->list[i].reach = reach;
	}
}

const struct sp_interval *sp_interval_map_find(const struct sp_interval_map *intervals, uint64_t address)
{
	size_t from = 0, to = intervals->count, scanned = 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (intervals->list[middle].low <= address)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from > 0 && scanned < SCAN_LIMIT; from--, scanned++) {
		const struct sp_interval *interval = &intervals->list[from - 1];

		if (interval->reach <= address)
			break;
		if (interval->high > address)
			return interval;
	}
	return NULL;
}
