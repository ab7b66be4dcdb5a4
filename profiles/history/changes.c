/* Changes of a series: cut generously, then joined until what is left is sure. */
#include "profiles/history/changes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stats.h"
#include "profiles/history/segments.h"
#include "symbolize/base/memory.h"

#define PENALTY 1.2         /* times the logarithm of the number of runs: cuts more than is kept */
#define SPREAD_LEAST 0.0005 /* logarithms closer than this are the same to the penalty */
#define MEAN_DISTANCE 0.8   /* of a normal distribution's numbers from its middle, in standard deviations */
#define SUSPECT_SPREADS 5.0 /* the distance, in its own deviation, from which on too few runs are suspected */
#define FEW_ALPHA 0.01      /* the rank test's chance for five runs a side that do not overlap is .0079 */
#define FEW_COST 10         /* what the test by spreads must be surer by, as it takes noise to be normal */
#define INTERVAL_ALPHA 0.01
#define SMALL_SPREADS 2.0

/* The runs of one machine. */
struct series {
	const struct sp_history_value *values;
	size_t *index;          /* in `values` */
	double *logs, *weights; /* weights: 1 for a run that varies as all do */
	size_t n;
	double spread;
	size_t *ends; /* of the segments */
	size_t segments;
};

static bool same_machine(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool usable(const struct sp_history_value *v)
{
	return v->value > 0 && isfinite(v->value);
}

static void collect(struct series *s, const struct sp_history_value *values, size_t n, const char *machine)
{
	size_t skip = 0;

	*s = (struct series){.values = values,
		.index = sp_alloc(n, sizeof(*s->index)),
		.logs = sp_alloc(n, sizeof(*s->logs)),
		.weights = sp_alloc(n, sizeof(*s->weights)),
		.ends = sp_alloc(n, sizeof(*s->ends))};
	for (size_t i = 0; i < n; i++)
		if (usable(&values[i]) && same_machine(values[i].machine, machine))
			s->index[s->n++] = i;
	if (s->n > SP_CHANGES_MOST)
		skip = s->n - SP_CHANGES_MOST;
	s->n -= skip;
	memmove(s->index, s->index + skip, s->n * sizeof(*s->index));
	for (size_t i = 0; i < s->n; i++)
		s->logs[i] = log(values[s->index[i]].value);
	s->spread = fmax(sp_series_spread(s->logs, s->n), SPREAD_LEAST);
}

static void release(struct series *s)
{
	free(s->index);
	free(s->logs);
	free(s->weights);
	free(s->ends);
}

/* Relative standard error, squared; negative: unknown. */
static double error_of(const struct series *s, size_t i)
{
	const struct sp_history_value *v = &s->values[s->index[i]];

	return isfinite(v->error) && v->error >= 0 ? v->error / v->value * (v->error / v->value) : -1;
}

/* What varies from run to run is what the error bars leave of the spread. In steps of a fourth root of two: where errors are
 * nearly the same, weights are the same, and tests exact. */
static void weigh(struct series *s)
{
	double mean = 0, known = 0, own;

	for (size_t i = 0; i < s->n; i++)
		if (error_of(s, i) >= 0) {
			mean += error_of(s, i);
			known++;
		}
	own = fmax(s->spread * s->spread - (known > 0 ? mean / known : 0), s->spread * s->spread / 16);
	for (size_t i = 0; i < s->n; i++) {
		double error = error_of(s, i);

		s->weights[i] = error < 0 ? 1 : exp2(round(4 * log2(s->spread / sqrt(own + error))) / 4);
	}
}

static void cut(struct series *s)
{
	double *scaled = sp_alloc(s->n, sizeof(*scaled));

	for (size_t i = 0; i < s->n; i++)
		scaled[i] = s->weights[i] / (MEAN_DISTANCE * s->spread);
	s->segments = sp_segments_cut(s->logs, scaled, s->n, SP_CHANGES_SIDE, PENALTY * log((double)s->n), s->ends);
	free(scaled);
}

static size_t begin_of(const struct series *s, size_t segment)
{
	return segment ? s->ends[segment - 1] : 0;
}

/* How much of the distance of a run from its level goes on to the next run: 0 to 0.9. Runs that follow a mood of the machine prove
 * less than as many independent ones. */
static double carried(const struct series *s)
{
	double product = 0, squares = 0;

	for (size_t k = 0; k < s->segments; k++) {
		size_t begin = begin_of(s, k);
		double level = sp_weighted_median(s->logs + begin, s->weights + begin, s->ends[k] - begin);
		double most = 3 * s->spread, before = 0;

		for (size_t i = begin; i < s->ends[k]; i++) {
			double off = fmin(fmax(s->logs[i] - level, -most), most);

			product += before * off;
			squares += off * off;
			before = off;
		}
	}
	return squares > 0 ? fmin(fmax(product / squares, 0), 0.9) : 0;
}

/* The chance when each run follows the one before. */
static double carry(double p, double rho)
{
	if (rho <= 0 || p >= 1)
		return p;
	return 2 * sp_stats_t_tail(sp_stats_t_quantile(p / 2, INFINITY) * sqrt((1 - rho) / (1 + rho)), INFINITY);
}

/* The distance of the levels in deviations that the whole series' spread gives it. */
static double distance_of(const struct series *s, const struct sp_change *c, double rho)
{
	double deviation = s->spread * sqrt(1.0 / (double)c->runs_before + 1.0 / (double)c->runs_after);

	return fabs(log(c->ratio)) / (deviation * sqrt((1 + rho) / (1 - rho)));
}

/* Ranks of few runs prove little, however far apart they are: five runs a side that do not overlap, and are as far apart as this
 * series' noise never is, count as much. */
static double chance_of(const struct series *s, const struct sp_change *c, double ranks, double rho)
{
	double p = carry(ranks, rho), far = 1;

	if (c->runs_before >= SP_CHANGES_FEW && c->runs_after >= SP_CHANGES_FEW && ranks < FEW_ALPHA)
		far = FEW_COST * 2 * sp_stats_t_tail(distance_of(s, c, rho), (double)(s->n / 2));
	return fmin(fmin(p, far) * (double)s->n, 1);
}

static bool slopes(const struct series *s, size_t begin, size_t middle, size_t end)
{
	double n = (double)(end - begin), mean = 0, slope = 0, squares = 0, line = 0, step = 0;
	double low = sp_weighted_median(s->logs + begin, s->weights + begin, middle - begin);
	double high = sp_weighted_median(s->logs + middle, s->weights + middle, end - middle);

	for (size_t i = begin; i < end; i++)
		mean += s->logs[i] / n;
	for (size_t i = begin; i < end; i++) {
		double at = (double)(i - begin) - (n - 1) / 2;

		slope += at * (s->logs[i] - mean);
		squares += at * at;
	}
	slope /= squares;
	for (size_t i = begin; i < end; i++) {
		line += fabs(s->logs[i] - mean - slope * ((double)(i - begin) - (n - 1) / 2));
		step += fabs(s->logs[i] - (i < middle ? low : high));
	}
	return line < step;
}

/* The change after segment k. */
static struct sp_change judge(const struct series *s, size_t k, double rho)
{
	size_t begin = begin_of(s, k), middle = s->ends[k], end = s->ends[k + 1];
	const double *x = s->logs + begin, *w = s->weights + begin;
	struct sp_shift shift = sp_stats_shift(x, middle - begin, s->logs + middle, end - middle, INTERVAL_ALPHA);
	struct sp_change c = {.first = s->index[begin],
		.before = s->index[middle - 1],
		.after = s->index[middle],
		.last = s->index[end - 1],
		.runs_before = middle - begin,
		.runs_after = end - middle,
		.level_before = exp(sp_weighted_median(x, w, middle - begin)),
		.level_after = exp(sp_weighted_median(s->logs + middle, s->weights + middle, end - middle)),
		.ratio = exp(shift.estimate),
		.low = exp(shift.low),
		.high = exp(shift.high)};

	c.p = chance_of(s, &c, sp_permutation_test(x, w, middle - begin, end - begin), rho);
	if (s->n >= SP_CHANGES_ALL && c.p <= SP_CHANGES_ALPHA)
		c.state = SP_CHANGE_CONFIRMED;
	return c;
}

/* Whether but one in ten of n runs is on this side of the middle of two levels. */
static bool holds(const double *logs, size_t n, double middle, bool above)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += (logs[i] > middle) != above;
	return wrong <= n / 10;
}

/* At the end, too few to test. Some of few that are not on their side are outliers, which the others may be too. */
static bool suspected(const struct series *s, const struct sp_change *c, double rho)
{
	double middle = (log(c->level_before) + log(c->level_after)) / 2;
	const double *after = s->logs + s->n - c->runs_after;
	bool up = c->level_after > c->level_before;

	return holds(after, c->runs_after, middle, up) && holds(after - c->runs_before, c->runs_before, middle, !up) &&
		distance_of(s, c, rho) > SUSPECT_SPREADS;
}

static bool keeps(const struct series *s, size_t k, const struct sp_change *c, double rho)
{
	if (fabs(log(c->ratio)) < log(1 + SP_CHANGES_LEAST))
		return false;
	return c->state == SP_CHANGE_CONFIRMED || (k + 2 == s->segments && suspected(s, c, rho));
}

static void join(struct series *s, size_t k)
{
	memmove(s->ends + k, s->ends + k + 1, (s->segments - k - 1) * sizeof(*s->ends));
	s->segments--;
}

/* Where a segment beside it was joined, a cut may fit better elsewhere between its neighbours. */
static void refit(struct series *s, size_t k)
{
	size_t begin = begin_of(s, k);

	s->ends[k] =
		begin + sp_segments_split(s->logs + begin, s->weights + begin, s->ends[k + 1] - begin, SP_CHANGES_SIDE);
}

/* Joins the neighbours that are told apart the least, until all are. */
static void weed(struct series *s)
{
	for (;;) {
		double rho = carried(s), worst = -1;
		size_t weakest = 0;

		for (size_t k = 0; k + 1 < s->segments; k++) {
			struct sp_change c = judge(s, k, rho);

			if (!keeps(s, k, &c, rho) && c.p > worst) {
				worst = c.p;
				weakest = k;
			}
		}
		if (worst < 0)
			return;
		join(s, weakest);
		if (weakest > 0)
			refit(s, weakest - 1);
		if (weakest + 1 < s->segments)
			refit(s, weakest);
	}
}

static void add_change(struct sp_changes *changes, struct sp_change c)
{
	sp_grow(&changes->items, &changes->capacity, changes->count + 1, sizeof(*changes->items));
	changes->items[changes->count++] = c;
}

/* From which to which run the level after may begin. */
static void reach(const struct series *s, size_t k, double rho, struct sp_change *c)
{
	size_t begin = begin_of(s, k);
	struct sp_reach found = {
		.least = SP_CHANGES_SIDE, .spread = s->spread, .carried = rho, .confidence = SP_CHANGES_SURE};

	sp_segments_reach(&found, s->logs + begin, s->weights + begin, s->ends[k + 1] - begin, s->ends[k] - begin);
	c->surely_before = s->index[begin + found.from - 1];
	c->surely_after = s->index[begin + found.to];
	c->places = found.to - found.from + 1;
	c->small = fabs(log(c->ratio)) < SMALL_SPREADS * s->spread;
}

static void find_in(struct sp_changes *changes, struct series *s)
{
	double rho;

	if (s->n < 2 * SP_CHANGES_SIDE)
		return;
	weigh(s);
	cut(s);
	weed(s);
	rho = carried(s);
	for (size_t k = 0; k + 1 < s->segments; k++) {
		struct sp_change c = judge(s, k, rho);

		reach(s, k, rho, &c);
		c.gradual = slopes(s, begin_of(s, k), s->ends[k], s->ends[k + 1]);
		add_change(changes, c);
	}
}

static int by_place(const void *a, const void *b)
{
	const struct sp_change *x = a, *y = b;

	return (x->after > y->after) - (x->after < y->after);
}

void sp_changes_find(struct sp_changes *changes, const struct sp_history_value *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct series s;
		bool met = false;

		for (size_t k = 0; k < i && !met; k++)
			met = same_machine(values[k].machine, values[i].machine);
		if (met)
			continue;
		collect(&s, values, n, values[i].machine);
		find_in(changes, &s);
		release(&s);
	}
	if (changes->count)
		qsort(changes->items, changes->count, sizeof(*changes->items), by_place);
}

void sp_changes_free(struct sp_changes *changes)
{
	free(changes->items);
	*changes = (struct sp_changes){0};
}
