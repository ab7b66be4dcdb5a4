/* The timeline: CPU, RSS and heap over the run, in a table that never grows. */
#ifndef SP_SAMPLER_UPKEEP_TIMELINE_H
#define SP_SAMPLER_UPKEEP_TIMELINE_H

#include "sampler/agent.h"

/* Adds a point if one is due by `now`, sp_now_ns() (`force`: in any case). Any context. */
void sp_timeline_step(uint64_t now, bool force) SP_HIDDEN;

/* In a forked child: it starts anew. */
void sp_timeline_forked(void) SP_HIDDEN;

#endif
