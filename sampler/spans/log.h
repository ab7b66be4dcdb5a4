/* The timing log's part in the process: spans that have ended and checkpoints, each a record of fixed size in a ring of the
 * spool. Another process makes lines of them, or loses some when it is slower. */
#ifndef SP_SAMPLER_SPANS_LOG_H
#define SP_SAMPLER_SPANS_LOG_H

#include "sampler/agent.h"

/* From here on there is one, if there is room for it: 0, or -ENOSPC. Any context. */
int sp_span_log_start(void) SP_HIDDEN;
void sp_span_log_stop(void) SP_HIDDEN;

/* In a forked child, whose spool will be another one: there is none. */
void sp_span_log_forked(void) SP_HIDDEN;

/* Its writer has been started. */
void sp_span_log_has_writer(void) SP_HIDDEN;

static inline bool sp_span_log_is_on(void)
{
	return sp_load(&sp_agent.span_log_mask) != 0;
}

/* Puts in a record that is like *event, whose `seq`, `tid`, `thread` and `length` it sets. text: what the program says of it,
 * NULL nothing. Any context of the thread `t`; lock-free: it may find no room, which is counted. */
void sp_span_log_put(const struct sp_thread *t, const struct sp_span_event *event, const char *text) SP_HIDDEN;

#endif
