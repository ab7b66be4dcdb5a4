/* Which CPU clock the kernel lets us have. */
#ifndef SP_PRELOAD_START_CHOOSE_CLOCK_H
#define SP_PRELOAD_START_CHOOSE_CLOCK_H

#include "sampler/agent.h"

/* Puts the best clock that works for the calling thread `t` into the header, and why it is that one. The other threads may do
 * worse, and are counted then. Any context, on the private stack. */
void sp_choose_clock(struct sp_thread *t, int perf_event_paranoid, struct sp_spool_header *h) SP_HIDDEN;

#endif
