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

/* What git knows of the commits between two. */
struct sp_told_commits {
	struct sp_commit list[SP_COMMITS_MOST];
	size_t count;
	bool known;
};

struct sp_told_change {
	const struct sp_values *values;
	const struct sp_change *what;
	const char *metric;
	struct sp_told_commits between; /* the last run before and the first one after */
	struct sp_told_commits reached; /* that it may be, with confidence */
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

/* Asks git, once where both are the same. */
void sp_told_commits_find(struct sp_told_change *c);

json_t *sp_told_change_json(const struct sp_told_change *c, const struct sp_history_group *group);

/* What is known of it by its values alone: how large it is, how sure, and where. */
json_t *sp_told_values_json(const struct sp_values *values, const struct sp_change *change);

/* "+3.0 % (+2.5 to +3.4), 1.00 s became 1.03 s". */
void sp_told_put_size(struct sp_buffer *out, const char *metric, const struct sp_change *change);

#endif
