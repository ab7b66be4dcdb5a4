/* The log of samples, added up for error bars: by stack, and by stack and time. */
#ifndef SP_PROFILES_MODEL_LOG_H
#define SP_PROFILES_MODEL_LOG_H

#include <stddef.h>
#include <stdint.h>

#define SP_BLOCKS_MAX 48u

/* Weights in microseconds, so that their squares are those of the spool. */
struct sp_sum {
	double weight, sq, samples;
};

static inline void sp_sum_add(struct sp_sum *to, const struct sp_sum *what)
{
	to->weight += what->weight;
	to->sq += what->sq;
	to->samples += what->samples;
}

/* What the samples of a block weigh on one path. */
struct sp_block_weight {
	uint32_t block, units;
};

/* The log cut into blocks of equal weight, one after the other in time. */
struct sp_log_sums {
	struct sp_sum all, *paths; /* by path */
	double blocks[SP_BLOCKS_MAX];
	uint32_t block_count;
	double unit;                  /* microseconds: SP_LOG_UNIT_NS, or so many of these that a block has
	                               * less than 2^32, which is more only above 274 s */
	struct sp_block_weight *list; /* of path i: [first[i], first[i + 1]) */
	size_t *first;
};

#endif
