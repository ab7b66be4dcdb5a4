/* The spans of a snapshot. */
#ifndef SP_PROFILES_SPOOL_SPANS_H
#define SP_PROFILES_SPOOL_SPANS_H

#include "profiles/spool/read.h"

/* Leaves out what is damaged or half written. Guaranteed afterwards: names are texts; a node's name is one, and its parent a
 * node before it; counts, open spans, slow ones and stacks are of nodes; a record that is left out is of node 0. Samples in
 * traces and in spans are of stacks, and record 0 is left out. Part of sp_snapshot_read. */
void sp_spans_check(struct sp_snapshot *snapshot);

/* A reading of the cycle counter as a time since the process's start. */
uint64_t sp_spans_time_ns(const struct sp_spool_header *header, uint64_t tsc);

/* Nothing is known of what spans have been counted. */
void sp_spans_unknown(struct sp_snapshot *snapshot);

/* Of the samples that were taken in a trace only those of from_ns to to_ns, in the time of taken_ns, are known. */
void sp_traced_keep(struct sp_snapshot *snapshot, uint64_t from_ns, uint64_t to_ns);

/* What was counted since `before`, an earlier snapshot of the process; unknown when that is of a mark. Part of
 * sp_window_take. */
void sp_spans_take(struct sp_snapshot *snapshot, const struct sp_snapshot *before);

#endif
