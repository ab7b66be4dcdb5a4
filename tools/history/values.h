/* A metric of a series of runs, as the search for changes takes it. */
#ifndef SP_TOOLS_HISTORY_VALUES_H
#define SP_TOOLS_HISTORY_VALUES_H

#include "profiles/history/changes.h"
#include "tools/history/ask.h"

struct sp_values {
	struct sp_history_points points; /* of the good runs that have the metric, oldest first */
	struct sp_history_value *values; /* the same */
	size_t count;
};

/* Of the runs that `ask` is about. Returns 0 or a negative errno; free in any case. */
int sp_values_load(const struct sp_ask *ask, int64_t series, const char *metric, struct sp_values *values);
void sp_values_free(struct sp_values *values);

/* Likewise, and the changes in them. */
int sp_values_changes(const struct sp_ask *ask, int64_t series, const char *metric, struct sp_values *values,
	struct sp_changes *changes);

/* The metrics that are looked at unless one is named; NULL behind the last. */
extern const char *const sp_values_metrics[];

/* Runs on both sides of confirmed changes, to be pinned when nothing is read any more. */
struct sp_keep {
	char id[SP_HISTORY_ID];
	char *why;
};
struct sp_keeps {
	struct sp_keep *items;
	size_t count, capacity;
};
void sp_keeps_add(struct sp_keeps *keeps, const struct sp_values *values, size_t before, size_t after,
	const char *metric);

/* Pins those that are not pinned yet, and frees all. A history that cannot be written is left as it is. */
void sp_keeps_write(struct sp_keeps *keeps, struct sp_history *store);

/* Whether some run has the metric; else complains, with the one that may be meant. */
bool sp_values_is_metric(const struct sp_ask *ask, const char *metric);

#endif
