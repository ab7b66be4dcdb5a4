/* Where commands are started from: see keeper.h. */
#ifndef SP_TOOLS_MONITOR_NURSERY_H
#define SP_TOOLS_MONITOR_NURSERY_H

#include <signal.h>
#include <stdint.h>

#include "profiles/spool/tree_file.h"

/* The process that starts commands, and what they shall begin with: the signals as they were when it was opened. */
struct sp_nursery {
	int socket;
	uint64_t signals_blocked, signals_ignored;
};

/* Opens it, once, before signals are taken. Returns 0 or a negative errno. */
int sp_nursery_open(struct sp_nursery *nursery);
void sp_nursery_close(struct sp_nursery *nursery);

/* Starts a command with these descriptors as 0, 1 and 2, as the first process of a tree where `hold` is not NULL. Returns the keeper's socket
 * (keeper.h) or a negative errno. */
int sp_nursery_start(const struct sp_nursery *nursery, const char *path, char *const *argv, char *const *variables,
	const struct sp_tree_hold *hold, const int *fds);

#endif
