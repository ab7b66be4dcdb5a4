/* What the allocator says of itself. */
#ifndef SP_PRELOAD_FINISH_ALLOCATOR_STATS_H
#define SP_PRELOAD_FINISH_ALLOCATOR_STATS_H

#include "sampler/agent.h"

/* Puts the allocator's own statistics into the spool, where that is safe. At exit, in normal context. */
void sp_allocator_ask(void) SP_HIDDEN;

#endif
