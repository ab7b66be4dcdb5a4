/* What a thread is blocked in that no hook has seen the end of. */
#ifndef SP_SAMPLER_THREADS_OPEN_WAIT_H
#define SP_SAMPLER_THREADS_OPEN_WAIT_H

#include "sampler/agent.h"

/* 1 + the kind of what thread `tid` is blocked in right now; 0: in nothing, or it cannot be told. 6 us. Any context. */
uint32_t sp_open_wait(int tid) SP_HIDDEN;

#endif
