/* What is behind the difference of two commands whose runs were profiled. */
#ifndef SP_TOOLS_MONITOR_BEHIND_H
#define SP_TOOLS_MONITOR_BEHIND_H

#include "profiles/monitor/series.h"

void sp_behind_put(struct sp_buffer *out, const struct sp_monitor_series *first,
	const struct sp_monitor_series *second);

#endif
