/* What the ways of running share. */
#ifndef SP_TOOLS_MONITOR_ONCE_H
#define SP_TOOLS_MONITOR_ONCE_H

#include <errno.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "symbolize/base/memory.h"
#include "tools/monitor/watch.h"

/* What the line of before had seen. */
struct sp_shown_live {
	uint64_t began_ns; /* of the run */
	uint64_t at_ns, cpu_ns;
	double cpu;
};

/* Time so far, CPU use since the last, memory. */
void sp_live_put(struct sp_buffer *out, struct sp_shown_live *live, const struct sp_watch *watch);

/* The exit status that tells how it ended. */
int sp_monitor_status(const struct sp_monitor_run *run);

#endif
