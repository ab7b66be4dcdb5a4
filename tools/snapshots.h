/* Where snapshots are kept. Finding and reading them is in tools/live.h. */
#ifndef SP_TOOLS_SNAPSHOTS_H
#define SP_TOOLS_SNAPSHOTS_H

#include <limits.h>

#include "profiles/spool/read.h"

#define SP_SNAPSHOT_SUFFIX ".snapshot"
#define SP_SNAPSHOT_NAME_MAX 64u /* see sp_name_is_plain */

/* The file of the process's snapshot of that name: 0 or a negative errno. */
int sp_snapshot_path(char path[static PATH_MAX], const struct sp_spool_header *header, const char *name);

/* Makes the file, readable by this user alone, with all of the snapshot or not at all. 0 or a negative errno (-EEXIST:
 * there is one). */
int sp_snapshot_save(const struct sp_snapshot *snapshot, const char *path);

#endif
