/* Calls that have not come back when the process ends in the handler of a signal that came meanwhile. */
#ifndef SP_SAMPLER_WAITS_CUT_OFF_H
#define SP_SAMPLER_WAITS_CUT_OFF_H

#include "sampler/agent.h"

/* The process ends here: notes in what its thread, the caller, was blocked. With all signals blocked. */
void sp_wait_note_cut_off(void) SP_HIDDEN;

#endif
