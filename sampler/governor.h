/* Keeps the cost of sampling inside the budget, and the samples under the cap. */
#ifndef SP_SAMPLER_GOVERNOR_H
#define SP_SAMPLER_GOVERNOR_H

#include "sampler/agent.h"

/* Looks at what sampling has cost so far and moves both intervals; does nothing when another
 * thread is at it or it was looked at a moment ago. `t` proves the guard. Any context. */
void sp_governor_step(struct sp_thread *t) SP_HIDDEN;

#endif
