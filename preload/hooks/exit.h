/* The ways a program ends by itself. */
#ifndef SP_PRELOAD_HOOKS_EXIT_H
#define SP_PRELOAD_HOOKS_EXIT_H

#include "sampler/agent.h"

/* Asks the C library to call us after everything of the program's; the constructor's. */
void sp_exit_init(void) SP_HIDDEN;

#endif
