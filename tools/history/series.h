/* A series of runs, for the commands that say something of each. */
#ifndef SP_TOOLS_HISTORY_SERIES_H
#define SP_TOOLS_HISTORY_SERIES_H

#include "profiles/history/seen.h"
#include "profiles/history/store.h"

/* The newest `most` runs of the series, oldest first. Returns 0 or a negative errno. */
int sp_series_load(struct sp_history *store, int64_t series, size_t most, struct sp_seen *seen);

/* The command to type next. */
void sp_series_put_next(struct sp_buffer *out, const struct sp_finding *finding, const char *command);

#endif
