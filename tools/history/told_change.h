/* A change of a series, with all that is known of it. */
#ifndef SP_TOOLS_HISTORY_TOLD_CHANGE_H
#define SP_TOOLS_HISTORY_TOLD_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "profiles/history/cause.h"
#include "profiles/history/changes.h"
#include "profiles/history/store.h"
#include "tools/history/commits.h"
#include "tools/history/values.h"

struct sp_told_change {
	const struct sp_values *values;
	const struct sp_change *what;
	const char *metric;
	struct sp_commit commits[SP_COMMITS_MOST];
	size_t commit_count;
	bool commits_known;
	struct sp_commit reached[SP_COMMITS_MOST]; /* that it may be, with confidence */
	size_t reached_count;
	bool reached_known;
	struct sp_cause cause;
	struct sp_history_run **runs[2];
	size_t run_count[2];
};

/* The run at an index of a change. */
static inline const struct sp_history_point *sp_told_run(const struct sp_told_change *c, size_t index)
{
	return &c->values->points.items[index];
}

/* "" unknown. */
static inline const char *sp_told_commit(const struct sp_told_change *c, size_t index)
{
	return sp_told_run(c, index)->commit;
}

static inline bool sp_told_same_build(const struct sp_told_change *c)
{
	const char *before = sp_told_run(c, c->what->before)->build_id;

	return *before && strcmp(before, sp_told_run(c, c->what->after)->build_id) == 0;
}

json_t *sp_told_change_json(const struct sp_told_change *c, const struct sp_history_group *group);

/* Where it is, of a change that is not gradual: its confidence, how many runs it may have begun at, and the runs around them. */
json_t *sp_told_place_json(const struct sp_values *values, const struct sp_change *change);

#endif
