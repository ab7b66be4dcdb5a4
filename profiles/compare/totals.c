/* The totals of both sides: how they differ, and how sure that is. */
#include "profiles/compare/stages.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/compare/noise.h"
#include "profiles/compare/stats.h"
#include "profiles/model/heap.h"

const struct sp_metric_info sp_metric_info[SP_METRICS] = {
	[SP_METRIC_CPU] = {"CPU time", "cpu", SP_UNIT_NS, 0.15, SP_COMPARE_LEAST_NS, 0.44},
	[SP_METRIC_PEAK] = {"Peak heap", "peak", SP_UNIT_BYTES, 0.03, SP_COMPARE_LEAST_BYTES, 0.22},
	[SP_METRIC_ALLOCATED] = {"Allocated", "allocated", SP_UNIT_BYTES, 0.01, SP_COMPARE_LEAST_BYTES, 0.22},
	[SP_METRIC_WALL] = {"Wall time", "wall", SP_UNIT_NS, 0.5, SP_COMPARE_LEAST_NS, 0.12},
	[SP_METRIC_INUSE] = {"In use at end", "in_use", SP_UNIT_BYTES, 0.03, SP_COMPARE_LEAST_BYTES, 0.5},
	[SP_METRIC_ALLOCATIONS] = {"Allocations", "allocations", SP_UNIT_NUMBER, 0.01, 100, 0.5},
	[SP_METRIC_BLOCKED] = {"Blocked", "blocked", SP_UNIT_NS, 0.5, SP_COMPARE_LEAST_NS, 0.5},
	[SP_METRIC_QUEUE] = {"Waiting for a CPU", "run_queue", SP_UNIT_NS, 0.5, SP_COMPARE_LEAST_NS, 0.5},
};

static double fact_value(const struct sp_profile *profile, const char *key)
{
	const char *text = sp_profile_fact(profile, key);
	char *end;
	double value = text ? strtod(text, &end) : -1;

	return text && end > text && isfinite(value) && value >= 0 ? value : -1;
}

double sp_metric_value(const struct sp_profile *profile, enum sp_metric metric)
{
	double user, sys;

	switch (metric) {
	case SP_METRIC_CPU:
		user = fact_value(profile, "cpu_user_seconds");
		sys = fact_value(profile, "cpu_system_seconds");
		return user >= 0 && sys >= 0 ? (user + sys) * 1e9 : -1;
	case SP_METRIC_WALL:
		user = fact_value(profile, "wall_seconds");
		return user >= 0 ? user * 1e9 : -1;
	case SP_METRIC_PEAK:
		return fact_value(profile, "heap_peak_bytes");
	case SP_METRIC_ALLOCATED:
		return fact_value(profile, "heap_allocated_bytes");
	case SP_METRIC_INUSE:
		return fact_value(profile, "heap_inuse_bytes");
	case SP_METRIC_ALLOCATIONS:
		return fact_value(profile, "heap_allocations");
	case SP_METRIC_BLOCKED:
		user = fact_value(profile, "blocked_seconds");
		return user >= 0 ? user * 1e9 : -1;
	case SP_METRIC_QUEUE:
		user = fact_value(profile, "run_queue_seconds");
		return user >= 0 ? user * 1e9 : -1;
	default:
		return -1;
	}
}

/* The runs' values of a side; NULL when a run has none. */
static double *load_values(const struct sp_comparison *c, enum sp_metric metric, enum sp_side side)
{
	size_t n = c->input->count[side];
	double *values = sp_alloc(n, sizeof(*values));

	for (size_t i = 0; i < n; i++) {
		values[i] = sp_metric_value(c->input->profiles[side][i], metric);
		if (values[i] < 0) {
			free(values);
			return NULL;
		}
	}
	return values;
}

/* Values too small to count are treated as equal: that one buffer was sampled in one run and not in another is no
 * growth. */
static void take_logarithms(double *values, size_t n, double least)
{
	for (size_t i = 0; i < n; i++)
		values[i] = log(fmax(values[i], least));
}

/* Relative variance of one run's heap estimate by sampling alone, mean over a side. */
static double sampling_variance(const struct sp_comparison *c, enum sp_metric metric, enum sp_side side)
{
	double sum = 0;

	if (metric != SP_METRIC_PEAK && metric != SP_METRIC_INUSE)
		return 0;
	for (size_t i = 0; i < c->input->count[side]; i++) {
		const struct sp_profile *p = c->input->profiles[side][i];
		double bytes = fmax(sp_metric_value(p, metric), sp_metric_info[metric].least);

		sum += sp_heap_total_variance(p, metric == SP_METRIC_PEAK ? sp_peak_variance : sp_inuse_variance) /
			(bytes * bytes);
	}
	return sum / (double)c->input->count[side];
}

struct test {
	double *values[SP_SIDES]; /* logarithms */
	double middle;            /* the difference between the sides' medians */
	double floor, freedom;    /* standard deviation of one run's logarithm where runs are too few to tell */
	double error;             /* of the difference, by the floor */
};

static void prepare(struct sp_comparison *c, enum sp_metric metric, struct test *t)
{
	const struct sp_comparison_input *in = c->input;
	double na = (double)in->count[0], nb = (double)in->count[1], freedom, measured, sampled = 0;
	const struct sp_noise *noise = in->noise;
	struct sp_total *total = &c->totals[metric];

	total->baseline = sp_stats_median(t->values[0], in->count[0]);
	total->current = sp_stats_median(t->values[1], in->count[1]);
	for (int side = 0; side < SP_SIDES; side++)
		take_logarithms(t->values[side], in->count[side], sp_metric_info[metric].least);
	t->middle = sp_stats_median(t->values[1], in->count[1]) - sp_stats_median(t->values[0], in->count[0]);
	t->floor = sp_metric_info[metric].floor;
	t->freedom = INFINITY;
	if (noise && noise->metrics[metric] >= 0) {
		t->floor = noise->metrics[metric];
		t->freedom = noise->runs - 1;
	}
	measured = sp_stats_spread(t->values[0], in->count[0], t->values[1], in->count[1], &freedom);
	total->spread = freedom >= 4 ? measured : fmax(t->floor, measured);
	for (int side = 0; side < SP_SIDES; side++)
		sampled = fmax(sampled, sampling_variance(c, metric, side));
	/* Medians of few values are less precise than means: by π/2 at worst. */
	t->error = sqrt((fmax(t->floor * t->floor, measured * measured) + sampled) * (1 / na + 1 / nb) *
		(na + nb > 2 ? M_PI / 2 : 1));
	total->same = true;
	for (size_t i = 0; i < in->count[0]; i++)
		total->same = total->same && t->values[0][i] == t->values[0][0];
	for (size_t i = 0; i < in->count[1]; i++)
		total->same = total->same && t->values[1][i] == t->values[0][0];
}

static void test_total(struct sp_comparison *c, struct sp_total *total, const struct test *t)
{
	const size_t *n = c->input->count;

	total->ratio = total->low = total->high = total->p = total->corrected_p = 1;
	if (c->same_runs || (total->same && total->exact))
		return;
	if (total->exact)
		total->p = sp_stats_rank_test(t->values[0], n[0], t->values[1], n[1]);
	else if (!total->same)
		total->p = 2 * sp_stats_t_tail(fabs(t->middle) / t->error, t->freedom);
}

static void estimate(struct sp_comparison *c, struct sp_total *total, const struct test *t, double alpha)
{
	const size_t *n = c->input->count;
	struct sp_shift shift = {.estimate = t->middle};

	if (c->same_runs || (total->same && total->exact))
		return;
	if (total->exact) {
		shift = sp_stats_shift(t->values[0], n[0], t->values[1], n[1], alpha);
	} else {
		double half = t->error > 0 ? t->error * sp_stats_t_quantile(alpha / 2, t->freedom) : 0;

		shift.low = shift.estimate - half;
		shift.high = shift.estimate + half;
	}
	total->ratio = exp(shift.estimate);
	total->low = exp(shift.low);
	total->high = exp(shift.high);
}

/* What was learned of the program's noise bounds a confirmed change too: runs that were not interleaved
 * differ by more than their own spread shows. */
static void judge(struct sp_comparison *c, enum sp_metric metric, double learned)
{
	struct sp_total *total = &c->totals[metric];
	double least = fmax(log1p(SP_COMPARE_LEAST), learned);

	total->factor = 1;
	if (total->corrected_p > SP_COMPARE_ALPHA || fabs(log(total->ratio)) < least ||
		fabs(total->current - total->baseline) < sp_metric_info[metric].least ||
		(total->low <= 1 && total->high >= 1))
		return;
	total->evidence = total->exact ? SP_EVIDENCE_CONFIRMED : SP_EVIDENCE_CANDIDATE;
	if (total->ratio > 1)
		total->factor = total->low;
}

/* Why a metric is not compared, or NULL. */
static const char *obstacle(struct sp_comparison *c, enum sp_metric metric, struct test *t)
{
	for (int side = 0; side < SP_SIDES; side++)
		t->values[side] = load_values(c, metric, side);
	if (t->values[0] && t->values[1])
		return NULL;
	return t->values[0]    ? "the current side has profiles without it"
		: t->values[1] ? "the baseline has profiles without it"
			       : "neither side has it in every profile";
}

/* Holm's order, and each test's own level in it, so that interval and test agree. */
static void correct(struct sp_comparison *c, const struct test *tests, const unsigned *family, size_t count)
{
	double p[SP_METRICS], parts[SP_METRICS], adjusted[SP_METRICS];

	for (size_t i = 0; i < count; i++) {
		p[i] = c->totals[family[i]].p;
		parts[i] = sp_metric_info[family[i]].part;
	}
	sp_stats_holm(p, parts, count, adjusted);
	for (size_t i = 0; i < count; i++) {
		double left = 0;

		for (size_t k = 0; k < count; k++)
			left += k < i ? (p[k] / parts[k] > p[i] / parts[i] ? parts[k] : 0)
				: p[k] / parts[k] >= p[i] / parts[i] ? parts[k]
								     : 0;
		c->totals[family[i]].corrected_p = adjusted[i];
		estimate(c, &c->totals[family[i]], &tests[family[i]], SP_COMPARE_ALPHA * parts[i] / left);
	}
}

/* A metric on which all runs agree needs no test. That is known from all values together, whichever side they
 * are on, so leaving it out of the family is no peeking. */
static void test_family(struct sp_comparison *c, const struct test *tests, unsigned first, unsigned end)
{
	unsigned family[SP_METRICS];
	double parts = 0, least = sp_stats_rank_least(c->input->count[0], c->input->count[1]);
	size_t count = 0;

	for (unsigned m = first; m < end; m++)
		if (c->totals[m].compared && !c->totals[m].same) {
			family[count++] = m;
			parts += sp_metric_info[m].part;
		}
	for (unsigned m = first; m < end; m++) {
		struct sp_total *total = &c->totals[m];
		double part = sp_metric_info[m].part;

		total->exact = least <= SP_COMPARE_ALPHA * (total->same || parts <= 0 ? 1 : part / parts);
		if (total->compared)
			test_total(c, total, &tests[m]);
		if (total->compared && total->same)
			estimate(c, total, &tests[m], SP_COMPARE_ALPHA);
	}
	correct(c, tests, family, count);
}

void sp_compare_totals(struct sp_comparison *c)
{
	struct test tests[SP_METRICS] = {0};

	for (unsigned m = 0; m < SP_METRICS; m++) {
		struct sp_total *total = &c->totals[m];

		total->factor = 1;
		total->weight = m < SP_GATING ? c->input->weights[m] : 0;
		total->why_not = obstacle(c, m, &tests[m]);
		total->compared = !total->why_not;
		if (total->compared)
			prepare(c, m, &tests[m]);
		else if (m < SP_WAITING)
			sp_sentences_add(c, &c->not_compared, "%s: %s.", sp_metric_info[m].name, total->why_not);
	}
	test_family(c, tests, 0, SP_GATING);
	test_family(c, tests, SP_GATING, SP_WAITING);
	test_family(c, tests, SP_WAITING, SP_METRICS);
	for (unsigned m = 0; m < SP_METRICS; m++) {
		const struct sp_noise *noise = c->input->noise;

		if (c->totals[m].compared)
			judge(c, m, noise ? noise->metrics[m] : 0);
		free(tests[m].values[0]);
		free(tests[m].values[1]);
	}
}
