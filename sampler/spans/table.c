/* Open addressing, insert-only. */
#include "sampler/spans/table.h"

uint32_t sp_span_table_find(const struct sp_span_table *table, uint64_t key, uint32_t **empty)
{
	uint64_t hash = sp_span_mix(key);
	uint32_t i;

	for (i = 0; i < table->size / 4; i++) {
		uint32_t *bucket = &table->buckets[(hash + i) & (table->size - 1)];
		uint32_t found = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);

		*empty = found ? NULL : bucket;
		if (!found || table->key_of(found) == key)
			return found;
	}
	return 0;
}

uint32_t sp_span_table_enter(const struct sp_span_table *table, uint64_t key, uint32_t index, uint32_t *empty)
{
	uint32_t found = 0, none;

	while (empty && !found) {
		none = 0;
		if (__atomic_compare_exchange_n(empty, &none, index, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return index;
		found = sp_span_table_find(table, key, &empty);
	}
	return found;
}
