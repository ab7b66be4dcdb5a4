/* How much memory the process has, cheaply. */
#ifndef SP_SAMPLER_UPKEEP_MEMORY_H
#define SP_SAMPLER_UPKEEP_MEMORY_H

#include "sampler/agent.h"

struct sp_resident {
	uint64_t rss_bytes;
	uint64_t anonymous_bytes; /* of that, what no file is behind, and no shared memory */
};

/* Both 0 without /proc. 3 us; 40 where nothing of the kernel's part is in the cache. Any context. */
struct sp_resident sp_memory_resident(void) SP_HIDDEN;

/* The same, as it was within the last SP_CHECKPOINT_NS; 0 while another thread reads it for the first time. Any context; lock-free. */
uint64_t sp_memory_recent(uint64_t now_ns) SP_HIDDEN;

/* In a forked child: it has not been read. */
void sp_memory_forked(void) SP_HIDDEN;

#endif
