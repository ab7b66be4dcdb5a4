/* The waits of a snapshot. */
#ifndef SP_PROFILES_SPOOL_WAITS_H
#define SP_PROFILES_SPOOL_WAITS_H

#include "profiles/spool/read.h"

/* Leaves out what is damaged or half written. Guaranteed afterwards: sites have stacks, locks, threads and spans that there
 * are, and calls that are known. Part of sp_snapshot_read, after spans were checked. */
void sp_waits_check(struct sp_snapshot *snapshot);

/* Nothing is known of what was waited. */
void sp_waits_unknown(struct sp_snapshot *snapshot);

/* What was waited since `before`, an earlier snapshot of the process; unknown when that is of a mark. Part of
 * sp_window_take. */
void sp_waits_take(struct sp_snapshot *snapshot, const struct sp_snapshot *before);

/* The same of one record, which becomes what was waited there since. */
void sp_window_wait(struct sp_wait_site *is, const struct sp_wait_site *was);

#endif
