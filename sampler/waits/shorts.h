/* Calls that are too short for a look at each. What they take is added up; some are looked at before and after, and tell what
 * part of the others was waiting. */
#ifndef SP_SAMPLER_WAITS_SHORTS_H
#define SP_SAMPLER_WAITS_SHORTS_H

#include "sampler/agent.h"
#include "sampler/wait_calls.h"

/* Of sp_tls.waited: the thread is to be looked at before it makes a certain call. */
#define SP_LOOK_FIRST (1ull << 63)

/* A call of that kind took `cycles`. False: it was not added, it is one for sp_short_ended. */
static inline bool sp_short_add(struct sp_thread *t, enum sp_wait_kind kind, uint64_t cycles)
{
	struct sp_short_calls *s = &t->wait.shorts[kind];

	if (cycles >= s->left || !s->until_look)
		return false;
	s->until_look--;
	s->left -= cycles;
	s->cycles += cycles;
	s->count++;
	return true;
}

/* Looks at the thread before a call that sp_short_ended has asked for. */
void sp_short_look(struct sp_thread *t) SP_HIDDEN;

/* A call is over that sp_short_add did not take; looked: the thread was looked at before. All three: of the calling thread, whose
 * block `t` is; normal context, or an application's signal handler. */
void sp_short_ended(struct sp_thread *t, enum sp_wait_call call, uint64_t object, uint64_t cycles,
	bool looked) SP_HIDDEN;

/* What was added up goes to the thread's record. At the end also of other threads. */
void sp_short_settle(struct sp_thread *t) SP_HIDDEN;

/* Counts waits in the thread's record: ns in all. */
void sp_wait_count(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns, uint64_t count,
	uint64_t longest_ns) SP_HIDDEN;

#endif
