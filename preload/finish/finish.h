/* The end: the spool is completed and rendered. */
#ifndef SP_PRELOAD_FINISH_FINISH_H
#define SP_PRELOAD_FINISH_FINISH_H

#include <stdbool.h>

#include "sampler/agent.h"

/* Whether a process that is still dormant has used enough for one. Any context. */
bool sp_is_worth_a_profile(void) SP_HIDDEN;

/* Ends the profile: once, by whichever thread is first; others wait for it. Starts the renderer
 * and waits for it a bounded time. Any context. */
void sp_finish(enum sp_exit_kind kind, int value) SP_HIDDEN;

/* In a forked child: its own end is to come. */
void sp_finish_forked(void) SP_HIDDEN;

#endif
