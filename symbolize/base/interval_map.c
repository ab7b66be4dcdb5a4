/* Address ranges: see interval_map.h. */
#include "symbolize/base/interval_map.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolize/base/array.h"

/* Spans looked at per query: overlaps deeper than this do not come from a compiler. */
#define SCAN_LIMIT 65536u

void sp_spans_free(struct sp_spans *spans)
{
	free(spans->list);
	*spans = (struct sp_spans){0};
}

int sp_spans_add(struct sp_spans *spans, uint64_t low, uint64_t high, uint32_t rank, uint32_t index)
{
	if (high <= low)
		return 0;
	if (sp_array_room(&spans->list, &spans->capacity, spans->count + 1, sizeof(*spans->list)))
		return -ENOMEM;
	spans->list[spans->count++] = (struct sp_span){.low = low, .high = high, .rank = rank, .index = index};
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct sp_span *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void sp_spans_sort(struct sp_spans *spans)
{
	uint64_t reach = 0;

	if (spans->count)
		qsort(spans->list, spans->count, sizeof(*spans->list), compare);
	for (size_t i = 0; i < spans->count; i++) {
		if (spans->list[i].high > reach)
			reach = spans->list[i].high;
		spans->list[i].reach = reach;
	}
}

const struct sp_span *sp_spans_find(const struct sp_spans *spans, uint64_t address)
{
	size_t from = 0, to = spans->count, scanned = 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (spans->list[middle].low <= address)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from > 0 && scanned < SCAN_LIMIT; from--, scanned++) {
		const struct sp_span *span = &spans->list[from - 1];

		if (span->reach <= address)
			break;
		if (span->high > address)
			return span;
	}
	return NULL;
}
