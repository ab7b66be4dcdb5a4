/* From dormant to active. */
#ifndef SP_PRELOAD_START_ACTIVATE_H
#define SP_PRELOAD_START_ACTIVATE_H

#include "sampler/agent.h"

/* Makes the spool and arms the clocks of the calling thread: sp_agent.activate. Any context. */
void sp_activate(void) SP_HIDDEN;

#endif
