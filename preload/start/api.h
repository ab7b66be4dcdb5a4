/* What the functions of smartprof.h share. */
#ifndef SP_PRELOAD_START_API_H
#define SP_PRELOAD_START_API_H

#include "sampler/agent.h"

/* Runs fn(arg) on the private stack of the calling thread, which may have a small one, or where that is in use, of a block;
 * false: there is none. No signal but ours is open meanwhile. Any context. */
bool sp_api_on_own_stack(void (*fn)(void *), void *arg) SP_HIDDEN;

/* In a forked child: no measurement has begun. */
void sp_api_forked(void) SP_HIDDEN;

#endif
