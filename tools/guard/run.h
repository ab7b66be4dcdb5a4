/* Signals and children of a guardian that stands around a program, be it as the first process of a container. */
#ifndef SP_TOOLS_GUARD_RUN_H
#define SP_TOOLS_GUARD_RUN_H

#include <stdbool.h>

#include "profiles/spool/tree_file.h"

struct sp_target;

/* From now on signals come through the descriptor, which is returned, or a negative errno. In a process that this one starts
 * sp_guard_signals_restore makes them what they were. */
int sp_guard_signals_take(void);
void sp_guard_signals_restore(void);

/* The next signal that is for us, 0: there is none. Those of a program that we started (app > 0) are passed on to
 * it and not returned, but for SIGCHLD: as under a shell, keys on the terminal are the program's to answer. */
int sp_guard_signal(int fd, int app);

/* Starts the program, with the agent unless library is NULL. Its pid, or a negative errno. argv[-1] must be
 * writable. */
int sp_guard_start(const struct sp_target *target, char **argv, const char *library, const struct sp_tree_hold *hold);

/* A child that has ended, 0: none (any more). As the first process of a container we get everybody's. */
int sp_guard_reap(int *status);

#endif
