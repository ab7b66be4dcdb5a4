/* Copies of stacks whose walk broke off, for a walk outside (symbolize/walk.c). */
#ifndef SP_SAMPLER_SPOOL_COPIES_H
#define SP_SAMPLER_SPOOL_COPIES_H

#include <ucontext.h>

#include "sampler/agent.h"

/* After a sample, the `sample`th (1 the first) of the spool's stack `stack`, whose walk of the interrupted `context` broke
 * off: leaves a copy of registers and stack in the spool, if this is one of those that are copied. Any context; must run
 * on the thread's private stack. */
void sp_copies_take(struct sp_thread *t, const ucontext_t *context, uint32_t stack, uint32_t sample) SP_HIDDEN;

#endif
