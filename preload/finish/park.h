/* Other threads are held while the end of the process waits for its renderer. */
#ifndef SP_PRELOAD_FINISH_PARK_H
#define SP_PRELOAD_FINISH_PARK_H

#include <stdbool.h>

#include "sampler/agent.h"

/* Holds all other threads of the process, in a millisecond or so and some 50 at the most. True when none of them
 * executes anything of the program any more; to be ended in both cases. The caller must not need what one of them may
 * have locked until it is. */
bool sp_park_threads(void) SP_HIDDEN;

/* The process is about to end: should it not be gone in a tenth of a second, its threads go on. */
void sp_park_end(void) SP_HIDDEN;

#endif
