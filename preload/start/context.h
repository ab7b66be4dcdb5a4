/* What other tools and this one tell each other of the work that threads do (OpenTelemetry's thread context). */
#ifndef SP_PRELOAD_START_CONTEXT_H
#define SP_PRELOAD_START_CONTEXT_H

#include "sampler/agent.h"

/* Where SMARTPROF_SPAN_CONTEXT is on: opens the library that has the pointer, unless another has one. From the constructor. */
void sp_context_load(void) SP_HIDDEN;

/* Before the first span of a spool. Any context of a thread whose guard is free. */
void sp_context_tell(void) SP_HIDDEN;

/* How the contexts of other libraries, and our own, are found in this process. Any context; after sp_libc_find. */
void sp_context_configure_traces(void) SP_HIDDEN;

#endif
