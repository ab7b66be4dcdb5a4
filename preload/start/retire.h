/* A process that the agent is put into once more. */
#ifndef SP_PRELOAD_START_RETIRE_H
#define SP_PRELOAD_START_RETIRE_H

#include <stdbool.h>

#include "sampler/agent.h"

/* Puts away what is left of the time before, if there was one: its clocks, threads and spool. False: a thread is still at
 * work for it. Normal context. */
bool sp_attach_retire(void) SP_HIDDEN;

#endif
