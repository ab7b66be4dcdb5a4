/* What is due now and then, and done by whichever thread comes along: totals, timeline, governor. */
#ifndef SP_SAMPLER_UPKEEP_UPKEEP_H
#define SP_SAMPLER_UPKEEP_UPKEEP_H

#include "sampler/agent.h"

/* Does what is due. `now` is sp_now_ns(). Any context, signals blocked. */
void sp_upkeep_step(struct sp_thread *t, uint64_t now) SP_HIDDEN;

/* The process has become another user, who must not write what the spool's owner trusts: ends the sampling, and leaves
 * the spool to be recovered. t: the calling thread's, or NULL. Any context. */
void sp_upkeep_retire(struct sp_thread *t) SP_HIDDEN;

#endif
