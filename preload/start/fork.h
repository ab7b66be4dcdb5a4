/* Forks: a child starts again with a spool of its own. */
#ifndef SP_PRELOAD_START_FORK_H
#define SP_PRELOAD_START_FORK_H

#include "sampler/agent.h"

/* Asks the C library to call us around every fork; the constructor's. */
void sp_fork_register(void) SP_HIDDEN;

/* In a child: forgets the parent's spool and goes back to dormant: sp_agent.forked. */
void sp_fork_child(void) SP_HIDDEN;

#endif
