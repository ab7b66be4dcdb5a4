/* The timeline of a run, cut into slices. */
#ifndef SP_PROFILES_MODEL_TIMELINE_H
#define SP_PROFILES_MODEL_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "profiles/spool/read.h"

/* What happened between two timeline points; intervals and the number of samples in the log are those at the end. */
struct sp_slice {
	uint64_t end_ns, cpu_ns, rss_bytes, heap_bytes, cpu_interval_ns, heap_interval_bytes, logged;
	double cores;
};

/* Cuts the timeline into at most so many slices of about equally many points; returns how many there are. */
size_t sp_timeline_cut(const struct sp_snapshot *snapshot, struct sp_slice *slices, size_t most);

#endif
