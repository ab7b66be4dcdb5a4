/* Being told what to do while the process runs: by the command, through two words of the spool, or by the program. */
#ifndef SP_SAMPLER_UPKEEP_CONTROL_H
#define SP_SAMPLER_UPKEEP_CONTROL_H

#include "sampler/agent.h"

/* Stops sampling, which costs the program the hooks alone from then on and a signal in every 100 ms of CPU time, or starts it.
 * Any context. */
void sp_control_stop(void) SP_HIDDEN;
void sp_control_start(void) SP_HIDDEN;

/* Does what is asked for, unless another thread is at it. */
void sp_control_obey(void) SP_HIDDEN;

/* Whether anything is asked for: two words in one cache line. The agent must be active. Any context. */
static inline bool sp_control_is_asked(void)
{
	const struct sp_control *c = &sp_agent.spool->control;

	return sp_unlikely(sp_load(&c->asked) != sp_load(&c->answered));
}

/* Does what is asked for, if anything is. The agent must be active. Any context. */
static inline void sp_control_look(void)
{
	if (sp_control_is_asked())
		sp_control_obey();
}

#endif
