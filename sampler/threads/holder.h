/* Who holds a lock that others wait for: the owner is asked where it is, and tells at its next sample, or when a call of its
 * that had blocked is over. Any context. */
#ifndef SP_SAMPLER_THREADS_HOLDER_H
#define SP_SAMPLER_THREADS_HOLDER_H

#include "sampler/agent.h"

/* What is known of the owner of a lock. */
struct sp_holder {
	struct sp_thread *t; /* NULL: nothing */
	int tid;
	uint32_t span;        /* what it was doing then */
	uint32_t stack, call; /* what it told, 0: nothing; 1 + enum sp_wait_call, 0: it was on a CPU */
	uint64_t caller;      /* of that call */
	uint64_t asked_tsc;
};

/* Asks the thread that `owner`, a word of the lock, names. */
void sp_holder_ask(struct sp_holder *h, const int *owner) SP_HIDDEN;

/* Takes down what it has told since. */
void sp_holder_answer(struct sp_holder *h) SP_HIDDEN;

/* Thread t, the caller's, was asked, and has been at `stack`; or in a call, which `caller` has made. */
void sp_holder_tell(struct sp_thread *t, uint32_t stack, uint32_t call, uint64_t caller) SP_HIDDEN;

static inline bool sp_holder_is_asked(const struct sp_thread *t)
{
	return sp_unlikely(sp_load(&t->wait.asked) != NULL);
}

#endif
