/* The malloc family. */
#ifndef SP_PRELOAD_HOOKS_MALLOC_H
#define SP_PRELOAD_HOOKS_MALLOC_H

#include "sampler/agent.h"

/* Resolves what malloc's fast paths call without a look. */
void sp_malloc_resolve(void) SP_HIDDEN;

/* From now on malloc and calloc may well return NULL: the counters look whether they did. Any context. */
void sp_malloc_may_be_refused(void) SP_HIDDEN;

#endif
