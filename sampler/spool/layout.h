/* How large a spool's tables are. */
#ifndef SP_SAMPLER_SPOOL_LAYOUT_H
#define SP_SAMPLER_SPOOL_LAYOUT_H

#include "sampler/agent.h"

static inline uint32_t sp_clamp(uint64_t v, uint32_t low, uint32_t high)
{
	return v < low ? low : v > high ? high : (uint32_t)v;
}

struct sp_layout {
	struct sp_section_entry entries[SP_SECTIONS]; /* place and capacity; nothing is used or committed */
	uint32_t first[SP_SECTIONS];                  /* records to be backed from the start */
	uint64_t total_bytes;
};

/* The sections by their place in the file, each once. */
extern const uint8_t sp_layout_order[SP_SECTIONS] SP_HIDDEN;

/* Chooses them for a cap on samples, smaller where limits ask for it. 0; -EFBIG (RLIMIT_FSIZE) or -E2BIG (RLIMIT_AS). Any
 * context. */
int sp_layout_choose(uint32_t sample_cap, struct sp_layout *layout) SP_HIDDEN;

#endif
