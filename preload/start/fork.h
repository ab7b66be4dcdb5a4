/* Forks: a child starts again with a spool of its own. */
#ifndef SP_PRELOAD_START_FORK_H
#define SP_PRELOAD_START_FORK_H

#include "sampler/agent.h"

/* Asks the C library to call us around every fork, if it has not been asked: sp_agent.watch_forks. Normal context. Most processes
 * never fork, and asking touches pages of the C library's that nothing else does. */
void sp_fork_watch(void) SP_HIDDEN;

/* In a child: forgets the parent's spool and goes back to dormant: sp_agent.forked. */
void sp_fork_child(void) SP_HIDDEN;

/* Forgets what each module knows of the parent, or of an earlier time. No other thread is in the agent. */
void sp_fork_forget(void) SP_HIDDEN;

#endif
