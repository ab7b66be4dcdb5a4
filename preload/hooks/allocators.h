/* The allocators' own functions, beside malloc's family. */
#ifndef SP_PRELOAD_HOOKS_ALLOCATORS_H
#define SP_PRELOAD_HOOKS_ALLOCATORS_H

#include "sampler/agent.h"

/* Looks up what is behind them, where there is a library that has them: before there is a second thread, see SP_REAL. */
void sp_allocators_find_all(void) SP_HIDDEN;

#endif
