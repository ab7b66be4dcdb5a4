/* CPU samples: from a signal to a weight on a stack. */
#ifndef SP_SAMPLER_CPU_SAMPLE_H
#define SP_SAMPLER_CPU_SAMPLE_H

#include <signal.h>

#include "sampler/agent.h"

/* Handles one profiling signal. Returns false when it is none of ours (errno untouched): the
 * caller passes it on to the application. Signal context. */
bool sp_sample_signal(const siginfo_t *info, void *context) SP_HIDDEN;

#endif
