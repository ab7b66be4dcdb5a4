/* Operator new and delete. */
#ifndef SP_PRELOAD_HOOKS_OPERATORS_H
#define SP_PRELOAD_HOOKS_OPERATORS_H

#include "sampler/agent.h"

/* Looks up what is behind them, where there is a library that has them: before there is a second thread, see SP_REAL. */
void sp_operators_find_all(void) SP_HIDDEN;

#endif
