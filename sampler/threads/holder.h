/* Who holds a lock that others wait for: the owner is asked where it is, and tells at its next sample, or when a call of its
 * that had blocked is over. Any context. */
#ifndef SP_SAMPLER_THREADS_HOLDER_H
#define SP_SAMPLER_THREADS_HOLDER_H

#include "sampler/agent.h"

/* Asks the thread that `owner`, a word of the lock, names. */
void sp_holder_ask(struct sp_holder *h, const int *owner) SP_HIDDEN;

/* Asks thread `tid`, which has the lock as long as the word `owner` is `mine`. */
void sp_holder_ask_thread(struct sp_holder *h, int tid, const int *owner, int mine) SP_HIDDEN;

/* Takes down what it has told since. */
void sp_holder_answer(struct sp_holder *h) SP_HIDDEN;

/* Thread t, the caller's, was asked, and has been at `stack`; or in a call, which `caller` has made. */
void sp_holder_tell(struct sp_thread *t, uint32_t stack, uint32_t call, uint64_t caller) SP_HIDDEN;

static inline bool sp_holder_is_asked(const struct sp_thread *t)
{
	return sp_unlikely(sp_load(&t->wait.asked) != NULL);
}

#endif
