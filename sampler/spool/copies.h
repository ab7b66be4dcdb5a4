/* Copies of stacks whose walk broke off, for a walk outside (symbolize/walk.c). */
#ifndef SP_SAMPLER_SPOOL_COPIES_H
#define SP_SAMPLER_SPOOL_COPIES_H

#include <ucontext.h>

#include "sampler/agent.h"

/* The walk of the interrupted `context` broke off. The sample was the `sample`th (the first is 1) of the spool's stack
 * `stack`. Leaves a copy of registers and stack in the spool, if this sample is one of those that are copied. Any context; must
 * run on the thread's private stack. */
void sp_copies_take(struct sp_thread *t, const ucontext_t *context, uint32_t stack, uint32_t sample) SP_HIDDEN;

#endif
