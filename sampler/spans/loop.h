/* Event loops: a thread that waits for events at one place again and again. From the return of such a call to the next is what
 * a round serves; it is counted as the span [event loop], in which no sample is, so that it stands in no stack. */
#ifndef SP_SAMPLER_SPANS_LOOP_H
#define SP_SAMPLER_SPANS_LOOP_H

#include "sampler/agent.h"
#include "sampler/wait_calls.h"

#define SP_LOOP_NAME "[event loop]"
#define SP_LOOP_ROUNDS 16u /* that had to be waited for at the same place make a loop */

/* Calls that a loop may be made of. */
static inline bool sp_loop_may_be(enum sp_wait_call call)
{
	return sp_wait_kind_of(call) == SP_WAIT_POLL;
}

/* A call under way: where it returns to, and where its frame is. */
struct sp_loop_call {
	uint64_t site, frame;
};

/* The calling thread waits from `now` on, in cycles, or has done so until then; blocked: long enough to have slept. Any context of
 * the thread. */
void sp_loop_waits(const struct sp_loop_call *call, uint64_t now) SP_HIDDEN;
void sp_loop_goes_on(const struct sp_loop_call *call, uint64_t now, bool blocked) SP_HIDDEN;

#endif
