/* Starting a program with the agent loaded, and ending as it ended: what the commands share that stand around one. Each
 * names the command in its complaints. */
#ifndef SP_TOOLS_START_H
#define SP_TOOLS_START_H

#include <limits.h>
#include <stdbool.h>

#include "env/env.h"
#include "profiles/spool/tree_file.h"
#include "tools/tools.h"

#define SP_EXIT_CANNOT_EXECUTE 126 /* as shells have it */
#define SP_EXIT_NOT_FOUND 127

bool sp_setting_is_on(enum sp_option option);

/* Finds the program. Returns 0, or the exit status after a complaint. */
int sp_start_find(const char *command, struct sp_target *target, const char *name);

/* Finds the agent's library, and tells its processes in the environment which command renders. Returns 0, or 1 after a complaint. */
int sp_start_library(const char *command, char library[static PATH_MAX]);

/* Puts the library in front of what our environment has in LD_PRELOAD. A program built with AddressSanitizer would need the
 * sanitizer's own there. Returns 0, or -1 with errno. */
int sp_start_set_preload(const char *library);

/* Says what will be profiled where that is not plain from the command line. */
void sp_start_announce(const struct sp_target *target);

/* In the child: becomes the program, with the agent (library NULL: without) as the first process of a tree that the one
 * who holds `hold` renders, so that nobody in it waits for a renderer. argv[-1] must be writable. */
void sp_start_exec(const char *command, const struct sp_target *target, char **argv, const char *library,
	const struct sp_tree_hold *hold) __attribute__((noreturn));

/* Ends like a child with this status, as of wait(2); a core dump of ours would only hide its own. Returns the exit status where
 * there is no such end. */
int sp_end_like(int status);

#endif
