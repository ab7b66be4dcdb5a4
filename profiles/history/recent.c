/* What the last runs of a series tell. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stats.h"
#include "profiles/history/changes.h"
#include "symbolize/base/memory.h"

#define REACHED 0.0005              /* the chance, one-sided, of what noise is said to reach */
#define LIMIT_RUNS 5u               /* with fewer nobody knows what noise reaches */
#define DRIFT_RUNS 50u              /* of the last, among which the best are looked for */
#define DRIFT_P 0.0002              /* of ten runs against the best ten, looked at after each run */
#define MEDIAN_COST 1.2533          /* deviation of a median over that of a mean */
#define QUARTILE 0.6744897501960817 /* of the normal distribution */

static double *logs_of(const double *values, size_t n)
{
	double *logs = sp_alloc(n ? n : 1, sizeof(*logs));

	for (size_t i = 0; i < n; i++)
		logs[i] = log(values[i]);
	return logs;
}

double sp_series_spread(const double *logs, size_t n)
{
	double *distances, spread;

	if (n < 3)
		return 0;
	distances = sp_alloc(n - 1, sizeof(*distances));
	for (size_t i = 0; i + 1 < n; i++)
		distances[i] = fabs(logs[i + 1] - logs[i]);
	spread = sp_stats_median(distances, n - 1) / QUARTILE / M_SQRT2;
	free(distances);
	return spread;
}

struct sp_series_limit sp_series_limit_of(const double *values, size_t n, double threshold)
{
	struct sp_series_limit limit = {.learned = INFINITY, .limit = INFINITY};
	double *logs, reach;

	if (n == 0)
		return limit;
	limit.expected = sp_stats_median(values, n);
	if (n < LIMIT_RUNS)
		return limit;
	logs = logs_of(values, n);
	/* Neighbours are independent in half of their distances. */
	reach = sp_stats_t_quantile(REACHED, (double)(n / 2)) * sp_series_spread(logs, n);
	limit.learned = limit.expected * exp(reach * sqrt(1 + MEDIAN_COST * MEDIAN_COST / (double)n));
	limit.limit = fmax(limit.learned, limit.expected * (1 + threshold));
	free(logs);
	return limit;
}

/* --- the trend */

static int sign_sum(const double *values, const size_t *order, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			sum += (values[order[k]] > values[order[i]]) - (values[order[k]] < values[order[i]]);
	return sum;
}

struct orders {
	const double *values;
	size_t order[SP_TREND_MOST], n;
	int least;
	double counted, all;
};

static void count_orders(struct orders *o, size_t at)
{
	if (at == o->n) {
		o->all++;
		o->counted += abs(sign_sum(o->values, o->order, o->n)) >= o->least;
		return;
	}
	for (size_t i = at; i < o->n; i++) {
		size_t first = o->order[at];

		o->order[at] = o->order[i];
		o->order[i] = first;
		count_orders(o, at + 1);
		o->order[i] = o->order[at];
		o->order[at] = first;
	}
}

struct sp_series_trend sp_trend_exact(const double *values, size_t n)
{
	struct orders o = {.values = values, .n = n};
	int sum;

	if (n < 3 || n > SP_TREND_MOST)
		return (struct sp_series_trend){.p = 1};
	for (size_t i = 0; i < n; i++)
		o.order[i] = i;
	sum = sign_sum(values, o.order, n);
	o.least = abs(sum);
	count_orders(&o, 0);
	return (struct sp_series_trend){.direction = (sum > 0) - (sum < 0), .p = o.counted / o.all};
}

/* --- drift */

/* The last runs have so much of noise; what they are compared with has `other` times as much. */
static bool has_grown(const struct sp_series_drift *d, const double *values, size_t n, double threshold, double other)
{
	double *logs = logs_of(values, n), spread = sp_series_spread(logs, n);
	double deviation = spread * MEDIAN_COST / sqrt(SP_RECENT_TREND) * sqrt(1 + other);

	free(logs);
	return d->recent > d->best * (1 + threshold) &&
		log(d->recent / d->best) > sp_stats_t_quantile(REACHED, (double)(n / 2)) * deviation;
}

struct sp_series_drift sp_drift_from_best(const double *values, size_t n, double threshold)
{
	struct sp_series_drift d = {.best = INFINITY};
	size_t last, first;

	if (n < 2 * SP_DRIFT_RUNS)
		return d;
	last = n - SP_DRIFT_RUNS;
	first = last > DRIFT_RUNS ? last - DRIFT_RUNS : 0;
	d.recent = sp_stats_median(values + last, SP_DRIFT_RUNS);
	for (size_t i = first; i + SP_DRIFT_RUNS <= last; i++) {
		double level = sp_stats_median(values + i, SP_DRIFT_RUNS);

		if (level < d.best) {
			d.best = level;
			d.from = i;
		}
	}
	/* The best of many is better than its level, as if it had twice the noise; and noise has more tail than any formula. */
	d.grown = has_grown(&d, values, n, threshold, 2) &&
		sp_stats_rank_test(values + d.from, SP_DRIFT_RUNS, values + last, SP_DRIFT_RUNS) <= DRIFT_P;
	return d;
}

struct sp_series_drift sp_drift_from_pinned(const double *values, size_t n, double pinned, double threshold)
{
	struct sp_series_drift d = {.best = pinned};

	if (n < SP_RECENT_TREND || !(pinned > 0))
		return d;
	d.recent = sp_stats_median(values + n - SP_RECENT_TREND, SP_RECENT_TREND);
	d.grown = has_grown(&d, values, n, threshold, 1);
	return d;
}
