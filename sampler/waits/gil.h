/* CPython's interpreter lock, the GIL: a flag with a condition variable, which names its holder by a pointer. */
#ifndef SP_SAMPLER_WAITS_GIL_H
#define SP_SAMPLER_WAITS_GIL_H

#include "sampler/agent.h"

/* Thread t, the caller's, is about to wait with a condition: if it is that of an interpreter's lock, and the wait may well be
 * sampled, who has the lock is asked where it is. */
void sp_gil_ask(struct sp_thread *t, uint64_t condition) SP_HIDDEN;

#endif
