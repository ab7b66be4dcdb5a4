/* Where the spool goes. */
#ifndef SP_PRELOAD_SPOOL_PLACE_H
#define SP_PRELOAD_SPOOL_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/agent.h"

/* Field 22 of /proc/self/stat: with the pid, names this process. 0 when it cannot be read. */
uint64_t sp_start_ticks(void) SP_HIDDEN;

/* The pid namespace of this process, as its inode number; 0 when it cannot be read. */
uint64_t sp_pid_namespace(void) SP_HIDDEN;

/* Where spools go, the best first. */
enum sp_spool_place { SP_PLACE_SHM, SP_PLACE_STATE, SP_PLACES };

/* Composes the path of a new spool, a name that no reader looks at yet, in a private directory (made, mode 0700, if
 * need be): /dev/shm/smartprof-<uid>, or below the user's state directory. Returns 0, or a negative errno with *why
 * set to a phrase: -EDQUOT when there are too many spools already, which no other place would mend.
 * Async-signal-safe. */
int sp_spool_place(char *path, size_t size, enum sp_spool_place place, uint64_t start_ticks,
	const char **why) SP_HIDDEN;

/* Gives a spool that is complete the name under which readers find it; `path` becomes that one. Returns 0, or a
 * negative errno: then the file is gone. Async-signal-safe. */
int sp_spool_publish(char *path) SP_HIDDEN;

#endif
