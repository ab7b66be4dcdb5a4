/* Processes that this one is about to make. */
#ifndef SP_PRELOAD_HOOKS_CHILDREN_H
#define SP_PRELOAD_HOOKS_CHILDREN_H

#include "sampler/agent.h"

/* The process may be about to have a child. Any context. */
void sp_children_expect(void) SP_HIDDEN;

#endif
