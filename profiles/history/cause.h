/* Why a series changed: the functions that differ between the runs before and those after, all of them together. */
#ifndef SP_PROFILES_HISTORY_CAUSE_H
#define SP_PROFILES_HISTORY_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/history/run.h"

#define SP_CAUSE_LISTED 0.05    /* expected share of false ones among those that are sure */
#define SP_CAUSE_LEAST 0.01     /* of the total; smaller functions and differences are left out */
#define SP_CAUSE_LEAST_ROW 0.05 /* of the function itself */

struct sp_cause_row {
	const char *function, *module; /* of the runs */
	double before, after;          /* medians of its own cost, a run */
	double change;                 /* Hodges-Lehmann */
	double p, q;                   /* rank test; Benjamini & Hochberg */
	bool sure; /* by the runs; else too few runs have functions, and it differs by more than runs usually do */
};

struct sp_cause {
	struct sp_cause_row *rows; /* those that differ, what made the most of the change first */
	size_t count;
	size_t runs_before, runs_after; /* with functions */
	double before, after;           /* medians of what all functions together cost */
};

/* Of two sides of one series, with their functions. Names live as long as the runs. Free with sp_cause_free. */
void sp_cause_find(struct sp_cause *cause, struct sp_history_run *const *before, size_t before_count,
	struct sp_history_run *const *after, size_t after_count, enum sp_history_of of);
void sp_cause_free(struct sp_cause *cause);

#endif
