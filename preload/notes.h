/* Messages of the agent: to the reader of the profile, and on stderr where SMARTPROF_VERBOSE is on. */
#ifndef SP_PRELOAD_NOTES_H
#define SP_PRELOAD_NOTES_H

#include "sampler/agent.h"

/* Says one line on stderr when SMARTPROF_VERBOSE is on. Any context. */
void sp_verbose(const char *what, const char *why) SP_HIDDEN;

/* Notes a problem for the reader of the profile, and says it as above. Any context. */
void sp_note(const char *line) SP_HIDDEN;

/* Puts what was noted so far into the spool, which has just been made. */
void sp_notes_write(void) SP_HIDDEN;

#endif
