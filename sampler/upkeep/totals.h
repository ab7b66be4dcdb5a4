/* The process's running totals in the header. */
#ifndef SP_SAMPLER_UPKEEP_TOTALS_H
#define SP_SAMPLER_UPKEEP_TOTALS_H

#include "sampler/agent.h"
#include "sampler/threads/usage.h"

/* Brings them up to now, and returns what the process has used. Any context. */
struct sp_usage sp_totals_update(void) SP_HIDDEN;

/* The same when by `tsc`, now, it is due. */
void sp_totals_follow(uint64_t tsc) SP_HIDDEN;

/* What the process has had resident at the most, whatever it was before, until *age_ns ago; 0: not known. */
uint64_t sp_totals_most_rss(uint64_t *age_ns) SP_HIDDEN;

#endif
