/* Spans that one thread begins and another may end. */
#ifndef SP_SAMPLER_SPANS_ASYNC_H
#define SP_SAMPLER_SPANS_ASYNC_H

#include "sampler/agent.h"

/* The span `id` of a name of kind SP_SPAN_ASYNC begins; one of the same name and id that is open goes on instead. Those that
 * find SP_ASYNC_MAX open are counted as uncounted. Any context; lock-free. */
void sp_async_begin(uint32_t name, uint64_t id) SP_HIDDEN;

/* It ends; one that is not open is counted as stray. Any context of the thread `t`; lock-free. */
void sp_async_end(struct sp_thread *t, uint32_t name, uint64_t id) SP_HIDDEN;

/* In a forked child: none is open. */
void sp_async_forked(void) SP_HIDDEN;

#define SP_ASYNC_MAX 4096u

#endif
