/* Merge sort by longest common prefixes. */
#include "profiles/base/runs.h"

#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

struct sorter {
	sp_run_compare *compare;
	const void *context;
	struct sp_run *spare;
};

/* Merges the sorted a[0 .. na) and b[0 .. nb) to `out`, of which b is the end already. Of both heads it is known how much
 * they share with the last one taken: the one that shares more comes next, only heads that share the same need a look. */
static void merge(const struct sorter *s, const struct sp_run *a, size_t na, const struct sp_run *b, size_t nb,
	struct sp_run *out)
{
	uint32_t a_shared = 0, b_shared = 0;

	while (na && nb) {
		uint32_t shared = a_shared;
		int order = a_shared == b_shared ? s->compare(s->context, a->item, b->item, &shared)
						 : (a_shared < b_shared) - (a_shared > b_shared);

		if (order <= 0) {
			*out++ = (struct sp_run){a->item, a_shared};
			b_shared = a_shared == b_shared ? shared : b_shared;
			a++, na--;
			a_shared = na ? a->shared : 0;
		} else {
			*out++ = (struct sp_run){b->item, b_shared};
			a_shared = a_shared == b_shared ? shared : a_shared;
			b++, nb--;
			b_shared = nb ? b->shared : 0;
		}
	}
	memcpy(out, a, na * sizeof(*out));
	if (na + nb)
		out->shared = na ? a_shared : b_shared;
}

static void sort(const struct sorter *s, struct sp_run *runs, size_t count)
{
	size_t half = count / 2;

	if (count < 2)
		return;
	sort(s, runs, half);
	sort(s, runs + half, count - half);
	memcpy(s->spare, runs, half * sizeof(*runs));
	merge(s, s->spare, half, runs + half, count - half, runs);
}

void sp_runs_sort(struct sp_run *runs, size_t count, sp_run_compare *compare, const void *context)
{
	struct sorter s = {compare, context, sp_alloc(count / 2, sizeof(*s.spare))};

	for (size_t i = 0; i < count; i++)
		runs[i].shared = 0;
	sort(&s, runs, count);
	free(s.spare);
}

int sp_ids_compare(const uint32_t *x, uint32_t x_count, const uint32_t *y, uint32_t y_count, uint32_t *shared)
{
	uint32_t n = x_count < y_count ? x_count : y_count, i = *shared;

	while (i < n && x[i] == y[i])
		i++;
	*shared = i;
	if (i < n)
		return x[i] < y[i] ? -1 : 1;
	return x_count < y_count ? -1 : x_count > y_count;
}
