/* Threads: from pthread_create to the end of their thread-specific data. */
#ifndef SP_PRELOAD_HOOKS_THREADS_H
#define SP_PRELOAD_HOOKS_THREADS_H

#include <stdbool.h>

#include "sampler/agent.h"

/* True once this process or one it was forked from has made a thread. */
bool sp_threads_made(void) SP_HIDDEN;

/* There will be a second thread: activates a dormant agent. Normal context. */
void sp_threads_wake(void) SP_HIDDEN;

/* Gives the calling thread, which was made behind our back, a block: sp_agent.adopt. Normal context. */
void sp_threads_adopt(void) SP_HIDDEN;

/* The calling thread may have unblocked the profiling signal: if its clocks have waited for that, they are armed. */
void sp_threads_unblocked(void) SP_HIDDEN;

/* Lets the calling thread's end be noticed. */
void sp_threads_own(struct sp_thread *t) SP_HIDDEN;

#endif
