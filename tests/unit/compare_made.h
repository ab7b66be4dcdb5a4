/* Makes runs with known costs and compares them, for the tests of comparisons. */
#ifndef SP_TESTS_UNIT_COMPARE_MADE_H
#define SP_TESTS_UNIT_COMPARE_MADE_H

#include <stddef.h>

#include "profiles/compare/compare.h"

#define RUNS_MAX 12
#define ROWS_MAX 8
#define MS 1000000.0

struct made_row {
	const char *name, *file;
	double ms;
};

/* A run: cost of its functions, and its heap. */
struct made {
	struct made_row rows[ROWS_MAX];
	double wall_ms, peak, allocated; /* negative: no heap profile */
	const char *extra;               /* more front matter */
	int caller[ROWS_MAX];            /* of the row: 1 + another's index, 0 none; all 0: no stacks */
	const char *waits;               /* rows of All waits, or NULL */
	double site;                     /* what sampling made of `allocated` but 4 MB, at one site; 0: no sites */
};

extern struct sp_comparison_input made_input; /* what made_compare compares */
extern struct sp_comparison *made_result;
extern const struct made made_plain;

/* For each test, before and after. */
int made_set_up(void **state);
int made_tear_down(void **state);

/* Lets go of the runs and of the result. */
void made_forget(void);

void made_add(enum sp_side side, const struct made *made);

/* n runs like this one, a little noise on each: up to `noise` either way. */
void made_add_runs(enum sp_side side, struct made made, size_t n, double noise);

void made_compare(void);
void made_compare_one(const struct made *old, const struct made *new); /* one run of each */
void made_compare_six(const struct made *old, const struct made *new); /* six runs of each, with a hundredth of noise */

/* The result's row of a function that is in the current runs, or NULL. */
const struct sp_row *made_find(const char *name);

#endif
