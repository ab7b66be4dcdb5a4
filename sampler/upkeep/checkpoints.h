/* Checkpoints: places in the program, and what memory was there. */
#ifndef SP_SAMPLER_UPKEEP_CHECKPOINTS_H
#define SP_SAMPLER_UPKEEP_CHECKPOINTS_H

#include "sampler/agent.h"

/* The thread comes by the place of that name, a name of kind SP_SPAN_CHECKPOINT, in its innermost span. text: as of
 * sp_span_end. Any context; lock-free. */
void sp_checkpoint(struct sp_thread *t, uint32_t name, const char *text) SP_HIDDEN;

#endif
