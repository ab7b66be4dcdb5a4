/* What the steps of a bisection share. */
#ifndef SP_TOOLS_HISTORY_BISECT_H
#define SP_TOOLS_HISTORY_BISECT_H

#include <stdbool.h>
#include <stddef.h>

/* In a directory of its own (scratch.h): good/ and now/ are worktrees. */
struct sp_bisect_plan {
	const char *directory;
	const char *build;   /* for a shell; "" nothing to build */
	const char *command; /* for a shell */
	const char *metric;  /* of monitor's comparisons: "wall", "cpu", "peak_rss" */
	unsigned pairs;
	double middle; /* a commit that takes so many times of what the good one does is bad */
};

/* Runs a program in a directory and waits; output goes to stderr, unless text is asked for (its first line; NULL after a failure, to be freed).
 * Returns its exit status, 128 + N after a signal, 127 where it cannot be run. */
int sp_bisect_run(const char *directory, char *const words[], char **text);

bool sp_bisect_build(const struct sp_bisect_plan *plan, const char *tree);

/* The ratio of what now/ takes to what good/ does, and its interval; false after a complaint. */
struct sp_bisect_ratio {
	double ratio, low, high;
};
bool sp_bisect_measure(const struct sp_bisect_plan *plan, struct sp_bisect_ratio *ratio);

/* Builds and judges the commit in now/: "good", "bad", or "skip", where nobody can tell. */
const char *sp_bisect_step(const struct sp_bisect_plan *plan);

#endif
