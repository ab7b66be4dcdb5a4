/* Signals that end a process are held while its renderer is waited for. */
#ifndef SP_PRELOAD_FINISH_HOLD_H
#define SP_PRELOAD_FINISH_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/agent.h"

/* From here to sp_hold_end no signal that is sent to the process ends it. The calling thread has all signals blocked;
 * `before` is its mask before that, and after sp_hold_end. Default actions of signals that ask the process to end stand
 * again then. Any context. */
void sp_hold_signals(uint64_t before) SP_HIDDEN;
void sp_hold_end(void) SP_HIDDEN;

/* In our handler of a signal whose default action would end the process: true when it must not now. */
bool sp_hold_takes(int signal) SP_HIDDEN;

/* Whether one has come meanwhile that asks the process to end. */
bool sp_hold_is_hurried(void) SP_HIDDEN;

#endif
