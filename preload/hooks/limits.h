/* Limits under which an allocator is refused memory. */
#ifndef SP_PRELOAD_HOOKS_LIMITS_H
#define SP_PRELOAD_HOOKS_LIMITS_H

#include "sampler/agent.h"

/* Tells the malloc hooks if a limit is in force that lets allocations fail. Any context. */
void sp_limits_look(void) SP_HIDDEN;

#endif
