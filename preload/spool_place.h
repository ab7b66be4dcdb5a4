/* Where the spool goes. */
#ifndef SP_PRELOAD_SPOOL_PLACE_H
#define SP_PRELOAD_SPOOL_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/agent.h"

/* Field 22 of /proc/self/stat: with the pid, names this process. 0 when it cannot be read. */
uint64_t sp_start_ticks(void) SP_HIDDEN;

/* Composes the path of a new spool in a private directory (made, mode 0700, if need be): under
 * /dev/shm when there is room, else under the user's state directory. Returns 0, or a negative
 * errno with *why set to a phrase. Async-signal-safe. */
int sp_spool_place(char *path, size_t size, uint64_t start_ticks, const char **why) SP_HIDDEN;

#endif
