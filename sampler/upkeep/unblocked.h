/* Threads that begin with our signal blocked and let it through by a system call of their own, which no hook sees: Go's run
 * time does so in each of its threads. Others look at them, and arm their clocks from outside. */
#ifndef SP_SAMPLER_UPKEEP_UNBLOCKED_H
#define SP_SAMPLER_UPKEEP_UNBLOCKED_H

#include "sampler/agent.h"

/* Looks at those that have used 1 ms since they were last looked at, if that is due: `now` is sp_now_ns(). Any context. */
void sp_unblocked_look(uint64_t now) SP_HIDDEN;

/* The calling thread begins, and blocks the signal: looks at those that began before it, whatever they have used. The
 * program may go on without a thread that ticks. */
void sp_unblocked_begin(void) SP_HIDDEN;

/* The calling thread, whose block `t` is, is armed by itself, or ends. Whether it was still waiting, in *waited. False:
 * another thread has begun to arm its clocks, and does not come to an end. */
bool sp_unblocked_leave(struct sp_thread *t, bool *waited) SP_HIDDEN;

/* A forked child's time begins anew. */
void sp_unblocked_forked(void) SP_HIDDEN;

#endif
