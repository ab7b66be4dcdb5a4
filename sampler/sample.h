/* CPU samples: from a signal to a weight on a stack. */
#ifndef SP_SAMPLER_SAMPLE_H
#define SP_SAMPLER_SAMPLE_H

#include <signal.h>

#include "sampler/agent.h"
#include "sampler/threads/usage.h"

/* Handles one profiling signal. Returns false when it is none of ours (errno untouched): the
 * caller passes it on to the application. Signal context. */
bool sp_sample_signal(const siginfo_t *info, void *context) SP_HIDDEN;

/* Brings the process's running totals in the header up to now, and returns what it has used. Any context. */
struct sp_usage sp_sample_update_totals(void) SP_HIDDEN;

/* The same when by `tsc`, now, it is due. */
void sp_sample_follow_totals(uint64_t tsc) SP_HIDDEN;

/* What is due now and then: totals, timeline, governor. `now` is sp_now_ns(), here and below. Any context,
 * signals blocked. */
void sp_sample_keep_up(struct sp_thread *t, uint64_t now) SP_HIDDEN;

/* The process has become another user, who must not write what the spool's owner trusts: ends the sampling, and leaves
 * the spool to be recovered. t: the calling thread's, or NULL. Any context. */
void sp_sample_retire(struct sp_thread *t) SP_HIDDEN;

/* Adds a point to the timeline if one is due (`force`: in any case). Any context. */
void sp_timeline_step(uint64_t now, bool force) SP_HIDDEN;

#endif
