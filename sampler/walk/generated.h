/* Executable memory that is in no object: a just-in-time compiler's. */
#ifndef SP_SAMPLER_WALK_GENERATED_H
#define SP_SAMPLER_WALK_GENERATED_H

#include "sampler/agent.h"

/* Whether the address is in such memory. What is not known to be is looked for in /proc/self/maps, which takes some 0.2 ms
 * in a large program, seldom: at first 20 ms after the last time, at the most 2 s. Any context; lock-free. */
bool sp_generated_holds(uint64_t address) SP_HIDDEN;

/* In a forked child, whose time begins anew: it may look at once. */
void sp_generated_forked(void) SP_HIDDEN;

#endif
