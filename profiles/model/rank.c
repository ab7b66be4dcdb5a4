/* The largest of a profile's parts. */
#include "profiles/model/rank.h"

#include <stdlib.h>

uint64_t sp_rank_self(const struct sp_profile *profile, size_t function)
{
	return sp_function_self(&profile->functions[function]);
}

uint64_t sp_rank_module(const struct sp_profile *profile, size_t module)
{
	return module ? profile->modules[module].self_ns : 0;
}

struct ranked {
	uint64_t key;
	uint32_t index;
};

static int by_key(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

uint32_t *sp_rank(size_t all, size_t *count, uint64_t (*key)(const struct sp_profile *, size_t),
	const struct sp_profile *profile)
{
	struct ranked *ranked = sp_alloc(all, sizeof(*ranked));
	uint32_t *order;

	*count = 0;
	for (size_t i = 0; i < all; i++) {
		uint64_t value = key(profile, i);

		if (value)
			ranked[(*count)++] = (struct ranked){value, (uint32_t)i};
	}
	qsort(ranked, *count, sizeof(*ranked), by_key);
	order = sp_alloc(*count, sizeof(*order));
	for (size_t i = 0; i < *count; i++)
		order[i] = ranked[i].index;
	free(ranked);
	return order;
}
