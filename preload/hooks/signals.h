/* The profiling signal, shared with the application, and the signals that end a process. */
#ifndef SP_PRELOAD_HOOKS_SIGNALS_H
#define SP_PRELOAD_HOOKS_SIGNALS_H

#include <stdbool.h>

#include "sampler/agent.h"

/* Takes the profiling signal over; the constructor's. False: the calling thread blocks it, and those that could take its place. */
bool sp_signals_init(void) SP_HIDDEN;

/* Looks whether our handler is still the one that the profiling signal runs: the C library's own functions and bare
 * system calls go by our hooks. Where it is not, another signal is taken, or sampling stops: sp_agent.look. Any
 * context. */
void sp_signals_look(void) SP_HIDDEN;

/* The same, once what `number` does has changed. */
void sp_signals_look_at(int number) SP_HIDDEN;

/* The constructor's, in a process that runs already: what its threads block is not known, so no signal of ours is ever
 * directed at the process. */
void sp_signals_init_late(void) SP_HIDDEN;

/* In a forked child of a process whose clocks were stopped. */
void sp_signals_after_fork(void) SP_HIDDEN;

/* An ignored signal stays ignored over execve, a handled one does not: shows the kernel what the
 * application believes; `back` when execve has failed. */
void sp_signals_before_exec(bool back) SP_HIDDEN;

/* Takes over those of SIGINT, SIGTERM, SIGHUP that would kill the process, to render first. Any context. */
void sp_signals_watch_fatal(void) SP_HIDDEN;

#endif
