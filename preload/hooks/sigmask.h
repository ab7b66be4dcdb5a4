/* Threads that block the profiling signal. */
#ifndef SP_PRELOAD_HOOKS_SIGMASK_H
#define SP_PRELOAD_HOOKS_SIGMASK_H

#include <signal.h>

#include "sampler/agent.h"

/* Gives up what is directed at the process: it may be delivered where it breaks a system call. Any context. */
void sp_sigmask_give_up_process(void) SP_HIDDEN;

/* The application installs a handler: it may run with the profiling signal blocked. */
void sp_sigmask_note_handler(const struct sigaction *action) SP_HIDDEN;

#endif
