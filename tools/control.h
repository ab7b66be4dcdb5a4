/* Telling a process that is being profiled what to do: a word in its spool, where it looks. */
#ifndef SP_TOOLS_CONTROL_H
#define SP_TOOLS_CONTROL_H

#include <stdint.h>

#include "tools/live.h"

struct sp_control_wish {
	enum sp_control_verb verb;
	uint64_t argument, wait_ns;
	const char *name;
};
#define SP_CONTROL_WAIT_NS 2000000000u

/* Returns 0 when the process has answered within the time, and what it said, 0 or a negative errno, in *result; else complains
 * in the name of the command and returns 1, or SP_CONTROL_LATER: the process will do it when it looks. */
#define SP_CONTROL_LATER 3
int sp_control_ask(const char *command, const struct sp_live_spool *live, const struct sp_control_wish *wish,
	int *result);

#endif
