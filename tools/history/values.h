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

/* The metrics that are looked at unless one is named; NULL behind the last. */
extern const char *const sp_values_metrics[];

/* Whether some run has the metric; else complains, with the one that may be meant. */
bool sp_values_is_metric(const struct sp_ask *ask, const char *metric);

#endif
