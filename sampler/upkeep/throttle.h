/* What the kernel withholds from the process because its control group has used up its quota of CPU time. */
#ifndef SP_SAMPLER_UPKEEP_THROTTLE_H
#define SP_SAMPLER_UPKEEP_THROTTLE_H

#include "sampler/agent.h"

/* file: the cpu.stat of the group whose quota binds, "" when none does. What it says now was before. */
void sp_throttle_begin(const char *file) SP_HIDDEN;

/* Reads it again if by `now` (sp_now_ns()) it is time, twice a second (force: in any case). 10 us. Any context. */
void sp_throttle_step(uint64_t now, bool force) SP_HIDDEN;

#endif
