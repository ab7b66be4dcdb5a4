/* Baselines in the history: JSON documents (profiles/gate/baseline.h) with what they are found by. */
#ifndef SP_PROFILES_HISTORY_BASELINES_H
#define SP_PROFILES_HISTORY_BASELINES_H

#include "profiles/history/store.h"

#define SP_HISTORY_BASELINE_ID 17 /* bytes of an id: hexadecimal, with the NUL */

struct sp_history_baseline {
	char id[SP_HISTORY_BASELINE_ID];              /* by the content; set by the store */
	const char *name, *commit, *branch, *machine; /* machine: its class; "" unknown */
	uint64_t created_ns;
	const char *content;
};

/* NULL: any. id: its beginning. */
struct sp_history_baseline_filter {
	const char *id, *name, *commit, *branch, *machine;
};

/* Keeps it; one with the same content is there once. Returns 0 or a negative errno, as all of the history. */
int sp_history_baseline_add(struct sp_history *store, struct sp_history_baseline *baseline);

/* The newest first; another result of `each` than 0 ends it and is returned. The baseline lives during the call; the store must
 * not be changed meanwhile. */
typedef int sp_history_baseline_fn(const struct sp_history_baseline *baseline, void *context);
int sp_history_baselines(struct sp_history *store, const struct sp_history_baseline_filter *filter,
	sp_history_baseline_fn *each, void *context);

/* By the whole id; what is not there is no failure. */
int sp_history_baseline_remove(struct sp_history *store, const char *id);

#endif
