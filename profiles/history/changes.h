/* When the runs of a program began to cost more or less: pure functions of the series of one metric. docs/HISTORY.md tells what
 * the results mean; this header, how they are computed. */
#ifndef SP_PROFILES_HISTORY_CHANGES_H
#define SP_PROFILES_HISTORY_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_CHANGES_ALPHA \
	0.02 /* bound on the chance of any confirmed change where nothing changed; measured: half of it */
#define SP_CHANGES_SURE 0.95  /* confidence of where a change is */
#define SP_CHANGES_LEAST 0.01 /* smaller changes are none */
#define SP_CHANGES_SIDE 3u    /* runs on a side; with fewer at the end a change is suspected at the best */
#define SP_CHANGES_FEW 5u     /* a side, from which on the distance in spreads counts too */
#define SP_CHANGES_ALL 10u    /* in a series of fewer runs nothing is confirmed */
#define SP_CHANGES_MOST 1000u /* runs of a machine that are looked at: the newest */
#define SP_THRESHOLD 0.20     /* growth that is a regression, unless told otherwise */
#define SP_RECENT_TREND 5u    /* runs whose trend is told */
#define SP_TREND_MOST 8u      /* numbers that sp_trend_exact takes */

/* What a run came to, oldest first. More is worse. */
struct sp_history_value {
	double value;        /* what is not above 0 is left out */
	double error;        /* standard error of the measurement; NAN: unknown */
	const char *machine; /* class; NULL is one too. Borrowed. */
};

enum sp_change_state {
	SP_CHANGE_SUSPECTED, /* by the last runs, or by too few: later runs tell */
	SP_CHANGE_CONFIRMED,
};

/* Indexes are of the array that was given. */
struct sp_change {
	enum sp_change_state state;
	bool gradual;         /* a slope fits better than a step */
	size_t first, before; /* first and last run of the level before */
	size_t after, last;   /* of the level after, which begins with `after` */
	size_t runs_before, runs_after;
	double level_before, level_after; /* medians by weight */
	double ratio, low, high;          /* Hodges-Lehmann on logarithms, 99 % interval; infinite with too few runs */
	double p;                         /* corrected for the places it could have been at */
	/* With SP_CHANGES_SURE it is between these two; of no meaning when gradual. */
	size_t surely_before; /* a run of the level before */
	size_t surely_after;  /* of the level after */
	bool small; /* than twice what neighbouring runs differ by: if noise lasts from run to run, that is less sure */
	size_t places; /* runs that the level after may begin with: 1 where it is at `after` alone */
};

struct sp_changes {
	struct sp_change *items; /* by `after` */
	size_t count, capacity;
};

/* Runs of each machine class by themselves: a change of machine is no change of the program. On logarithms: segments by least
 * weighted absolute deviation with a penalty for each (Killick, Fearnhead & Eckley, JASA 107 (2012), for the
 * dynamic programming), weights from the error bars and the spread of runs; then neighbours are joined, the weakest
 * first, until a permutation test tells all apart; the cuts beside a joined segment move to where they fit best. Where else a
 * change may be is asked of each place, by how likely the runs are if it was there (segments.h). Time grows with the square of the runs: 0.1 s for 1,000. */
void sp_changes_find(struct sp_changes *changes, const struct sp_history_value *values, size_t n);
void sp_changes_free(struct sp_changes *changes);

/* The time from which on profiles do not count for a level any more: runs with the agent are a series apart and often come right after those without, but
 * none of the next level counts. next_ns: the start of that level's first run; UINT64_MAX: there is none. */
static inline uint64_t sp_level_end_ns(uint64_t last_ns, uint64_t next_ns)
{
	uint64_t end_ns = last_ns + 3600 * UINT64_C(1000000000);

	return end_ns < next_ns ? end_ns : next_ns;
}

/* Standard deviation of single runs' logarithms, by the median distance of neighbours: changes hardly touch it.
 * 0 with fewer than 3 numbers, or where most are the same. */
double sp_series_spread(const double *logs, size_t n);

/* Up to where the next run is no regression: by the threshold, and by what the series' own noise reaches once in 2,000 runs. Both
 * must be passed. */
struct sp_series_limit {
	double expected; /* median of the values */
	double learned;  /* what noise reaches; INFINITY: nobody knows yet */
	double limit;    /* the larger of the two */
};
struct sp_series_limit sp_series_limit_of(const double *values, size_t n, double threshold);

/* Mann, Econometrica 13 (1945), and Kendall: whether 3 to SP_TREND_MOST numbers rise or fall. Exact, over all orders of
 * them, ties included. */
struct sp_series_trend {
	int direction; /* of the sum of signs */
	double p;      /* two-sided: 1/60 for five that all rise */
};
struct sp_series_trend sp_trend_exact(const double *values, size_t n);

/* Growth too slow for any step to pass a threshold: the last SP_DRIFT_RUNS beside the best that many of the fifty before did; or the last
 * SP_RECENT_TREND beside a pinned value. */
#define SP_DRIFT_RUNS 10u
struct sp_series_drift {
	bool grown;    /* by more than the threshold and than noise explains */
	double recent; /* median of the last runs */
	double best;   /* what it is compared with */
	size_t from;   /* index of the first of the best runs; not for a pinned value */
};
struct sp_series_drift sp_drift_from_best(const double *values, size_t n, double threshold);
struct sp_series_drift sp_drift_from_pinned(const double *values, size_t n, double pinned, double threshold);

#endif
