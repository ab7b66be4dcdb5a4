/* Functions of the program and its libraries that are spans without their code being touched (SMARTPROF_SPAN_FUNCTIONS). */
#ifndef SP_PRELOAD_SPAN_FUNCTIONS_H
#define SP_PRELOAD_SPAN_FUNCTIONS_H

#include "sampler/agent.h"

/* globs: of their names, comma-separated; NULL: none. Slots of what is loaded later are looked for when it is looked into
 * (dlsym). From the constructor. */
void sp_span_functions_start(const char *globs) SP_HIDDEN;

/* Looks for slots in what has been loaded since the last time. Normal context: takes the loader's lock on its list. */
void sp_span_functions_look(void) SP_HIDDEN;

/* Notes which globs have met nothing. At the end of the process. */
void sp_span_functions_finish(void) SP_HIDDEN;

#endif
