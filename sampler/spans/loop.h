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

/* The calling thread, if that is where its loop waits. */
static inline struct sp_thread *sp_loop_thread(struct sp_loop_call call)
{
	struct sp_thread *t = sp_tls.thread;

	return sp_unlikely(t && t->loop.site == call.site) ? t : NULL;
}

/* In thread t, the caller's: one round of its loop is over at `now`, in cycles. When it goes on, t->loop.returned_tsc is set. Any
 * context. */
void sp_loop_add_round(struct sp_thread *t, uint64_t now) SP_HIDDEN __attribute__((cold));

/* The calling thread has waited until `now`, long enough to have slept, at a place that is not its loop's: it may become that. Any
 * context. */
void sp_loop_count(const struct sp_loop_call *call, uint64_t now) SP_HIDDEN __attribute__((cold));

#endif
