/* Whether the profiles can be compared at all: what to say about those that cannot, or hardly. */
#include "profiles/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stages.h"

#define INTERVAL_RATIO 4.0
#define DROPPED_SHARE 0.05
#define UNSAMPLED_SHARE 0.1

static const char *fact_or(const struct sp_profile *p, const char *key)
{
	const char *value = sp_profile_fact(p, key);

	return value ? value : "unknown";
}

/* Warns once when not all profiles have the same value: names the two that differ. */
static void check_same(struct sp_comparison *c, const char *key, const char *what, const char *advice)
{
	const struct sp_comparison_input *in = c->input;
	const char *first = fact_or(in->profiles[SP_BASELINE][0], key);

	for (int side = SP_SIDES - 1; side >= 0; side--)
		for (size_t i = 0; i < in->count[side]; i++) {
			const char *value = fact_or(in->profiles[side][i], key);

			if (strcmp(value, first) == 0)
				continue;
			sp_sentences_add(c, &c->warnings, "Different %s: %s and %s. %s", what, first, value, advice);
			return;
		}
}

static double fact_number(const struct sp_profile *p, const char *key)
{
	const char *text = sp_profile_fact(p, key);

	return text ? strtod(text, NULL) : 0;
}

static void check_interval(struct sp_comparison *c, const char *key, const char *what)
{
	const struct sp_comparison_input *in = c->input;
	double least = INFINITY, most = 0;

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < in->count[side]; i++) {
			double value = fact_number(in->profiles[side][i], key);

			if (value <= 0)
				continue;
			least = fmin(least, value);
			most = fmax(most, value);
		}
	if (most > INTERVAL_RATIO * least)
		sp_sentences_add(c, &c->warnings,
			"The %s differs by more than %g times (%g and %g): what sampling itself costs differs with it.",
			what, INTERVAL_RATIO, least, most);
}

/* What one run alone says against itself. */
static void check_run(struct sp_comparison *c, const struct sp_profile *p, const char *name)
{
	double samples = fact_number(p, "cpu_samples"), dropped = fact_number(p, "cpu_samples_dropped");
	double sampled = fact_number(p, "cpu_sampled_seconds"), unsampled = fact_number(p, "cpu_unsampled_seconds");
	const char *ended = fact_or(p, "exit");

	if (strcmp(ended, "running") == 0 || strcmp(ended, "unknown") == 0 || strncmp(ended, "signal", 6) == 0)
		sp_sentences_add(c, &c->warnings,
			"%s: the run did not end by itself (exit: %s): it may not have done all its work.", name,
			ended);
	if (dropped > DROPPED_SHARE * (samples + dropped))
		sp_sentences_add(c, &c->warnings,
			"%s: %.0f %% of the samples were dropped; functions are less sure than they look.", name,
			100 * dropped / (samples + dropped));
	if (unsampled > UNSAMPLED_SHARE * (sampled + unsampled))
		sp_sentences_add(c, &c->warnings, "%s: no sample stands for %.0f %% of the CPU time.", name,
			100 * unsampled / (sampled + unsampled));
}

/* Between the sides versions differ: that is what is compared. Within one they must not. */
static void check_version(struct sp_comparison *c, const char *key, const char *what)
{
	static const char *const sides[] = {"baseline", "current"};
	const struct sp_comparison_input *in = c->input;

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 1; i < in->count[side]; i++) {
			const char *first = fact_or(in->profiles[side][0], key);
			const char *value = fact_or(in->profiles[side][i], key);

			if (strcmp(value, first) == 0)
				continue;
			sp_sentences_add(c, &c->warnings,
				"The %s runs are of several versions of the program: %s %s and %s. What differs "
				"between them counts as noise.",
				sides[side], what, first, value);
			break;
		}
}

/* The first and the last of a side's starts, which are known to the second. */
static void find_starts(const struct sp_comparison_input *in, enum sp_side side, const char **first, const char **last)
{
	*first = *last = fact_or(in->profiles[side][0], "started");
	for (size_t i = 1; i < in->count[side]; i++) {
		const char *at = fact_or(in->profiles[side][i], "started");

		*first = strcmp(at, *first) < 0 ? at : *first;
		*last = strcmp(at, *last) > 0 ? at : *last;
	}
}

static bool all_before(const struct sp_comparison_input *in, enum sp_side early, enum sp_side late)
{
	const char *first[SP_SIDES], *last[SP_SIDES];

	find_starts(in, early, &first[0], &last[0]);
	find_starts(in, late, &first[1], &last[1]);
	return strcmp(last[0], first[1]) <= 0 && strcmp(first[0], last[1]) < 0;
}

/* A file compared with itself or a copy. */
static bool are_same_runs(const struct sp_comparison_input *in)
{
	static const char *const keys[] = {"pid", "started", "wall_seconds", "cpu_user_seconds"};

	if (in->count[0] != in->count[1])
		return false;
	for (size_t i = 0; i < in->count[0]; i++)
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			const char *a = sp_profile_fact(in->profiles[0][i], keys[k]);
			const char *b = sp_profile_fact(in->profiles[1][i], keys[k]);

			if (!a || !b || strcmp(a, b) != 0)
				return false;
		}
	return true;
}

void sp_compare_check(struct sp_comparison *c)
{
	const struct sp_comparison_input *in = c->input;

	check_same(c, "program", "programs", "What differs is the program, not the change.");
	check_same(c, "environment", "environments", "Settings differ with them.");
	check_same(c, "host_cores", "numbers of processors", "This is not the same machine.");
	check_same(c, "usable_cores", "core limits", "CPU and wall time depend on them.");
	check_same(c, "memory_limit_bytes", "memory limits", "Allocators and caches follow them.");
	check_same(c, "kernel", "kernels", "System time depends on them.");
	check_same(c, "cpu_clock", "CPU clocks", "Functions are measured differently; totals are not.");
	check_same(c, "allocator", "allocators", "Heap figures depend on them.");
	check_same(c, "exit", "exit status", "Runs that failed do other work.");
	check_version(c, "build_id", "builds");
	check_version(c, "git_commit", "commits");
	check_interval(c, "cpu_interval_achieved_us", "CPU sampling interval");
	check_interval(c, "heap_interval_bytes", "heap sampling interval");
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < in->count[side]; i++)
			check_run(c, in->profiles[side][i], in->names[side][i]);
	c->same_runs = are_same_runs(in);
	if (c->same_runs)
		sp_sentences_add(c, &c->warnings, "Both sides are of the same runs: nothing can differ.");
	else if (in->count[0] > 1 && in->count[1] > 1 &&
		(all_before(in, SP_BASELINE, SP_CURRENT) || all_before(in, SP_CURRENT, SP_BASELINE)))
		sp_sentences_add(c, &c->warnings,
			"One side ran wholly before the other: a machine that grew faster or slower in between looks "
			"like a change. Run them in turns.");
}
