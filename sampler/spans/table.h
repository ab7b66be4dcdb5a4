/* A hash table that only grows, from a key to the number of the spool's record that has it. */
#ifndef SP_SAMPLER_SPANS_TABLE_H
#define SP_SAMPLER_SPANS_TABLE_H

#include "sampler/agent.h"

/* Numbers of records, 0 empty. An entry that was made in vain, because another thread was first, is in no bucket. */
struct sp_span_table {
	uint32_t *buckets;
	uint32_t size; /* a power of two */
	uint64_t (*key_of)(uint32_t index);
};

static inline uint64_t sp_span_mix(uint64_t h)
{
	h *= 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

/* The record of `key`; 0 none, and *empty is the bucket for it, or NULL. Any context; lock-free, as the other. */
uint32_t sp_span_table_find(const struct sp_span_table *table, uint64_t key, uint32_t **empty) SP_HIDDEN;

/* Enters a record, unless another thread has entered the same: that one's number then. 0: there is no bucket left. */
uint32_t sp_span_table_enter(const struct sp_span_table *table, uint64_t key, uint32_t index,
	uint32_t *empty) SP_HIDDEN;

#endif
