/* Whether a figure is worse: see judge.h. */
#include "profiles/gate/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

#define MAD_TO_DEVIATION 1.4826
#define LEAST_NS 2e6 /* the kernel's clock, and how a process happened to be started */
#define LEAST_BYTES 65536.0
#define SPREAD_RUNS 5u /* of which a standard deviation is believed */

const struct sp_gate_metric_info sp_gate_metrics[SP_GATE_METRICS] = {
	[SP_GATE_WALL] = {"time", "wall", SP_GATE_NS, 0.07, 0.25, LEAST_NS},
	[SP_GATE_CPU] = {"CPU time", "cpu", SP_GATE_NS, 0.04, 0.15, LEAST_NS},
	[SP_GATE_PEAK] = {"peak memory", "peak", SP_GATE_BYTES, 0.005, 0.03, 4 * LEAST_BYTES},
	[SP_GATE_ALLOCATED] = {"allocated", "allocated", SP_GATE_BYTES, 0.002, 0.01, LEAST_BYTES},
	[SP_GATE_START] = {"start", "start", SP_GATE_NS, 0.07, 0.25, LEAST_NS},
	[SP_GATE_SPAN] = {"p99", "p99", SP_GATE_NS, 0.1, 0.3, 0},
};

void sp_gate_add_value(struct sp_gate_values *values, double value)
{
	sp_grow(&values->items, &values->capacity, values->count + 1, sizeof(*values->items));
	values->items[values->count++] = value;
}

double sp_gate_median(const struct sp_gate_values *values)
{
	return values->count ? sp_stats_median(values->items, values->count) : 0;
}

static double *logs_of(const struct sp_gate_values *values, double least)
{
	double *logs = sp_alloc(values->count + 1, sizeof(*logs));

	for (size_t i = 0; i < values->count; i++)
		logs[i] = log(fmax(values->items[i], fmax(least, 1)));
	return logs;
}

static double spread_of(enum sp_gate_metric metric, const double *a, size_t na, const double *b, size_t nb)
{
	double freedom = 0, spread = sp_stats_spread(a, na, b, nb, &freedom);

	return freedom + 1 >= SPREAD_RUNS ? spread : fmax(spread, sp_gate_metrics[metric].runs);
}

/* Where ranks can reach that chance they tell, else the standard deviation of runs. */
static struct sp_shift shift_of(const double *a, size_t na, const double *b, size_t nb, double spread, double chance)
{
	struct sp_shift shift = sp_stats_shift(a, na, b, nb, chance);
	double half, freedom = (double)(na + nb) - 2;

	if (sp_stats_rank_least(na, nb) <= chance && isfinite(shift.low) && isfinite(shift.high))
		return shift;
	half = sp_stats_t_quantile(chance / 2, freedom + 1 >= SPREAD_RUNS ? freedom : INFINITY) * spread *
		sqrt(1 / (double)na + 1 / (double)nb);
	shift.low = shift.estimate - half;
	shift.high = shift.estimate + half;
	return shift;
}

/* The interval shrinks with runs, but not below what occasions differ by. */
static size_t runs_needed(const struct sp_gate_judgement *j, double allowed, double chance)
{
	double distance = fabs(log(j->ratio) - log1p(allowed)), z = sp_stats_t_quantile(chance / 2, INFINITY);
	double far = z * M_SQRT2 * j->occasions,
	       near = sp_stats_t_quantile(SP_GATE_MISSED, INFINITY) * M_SQRT2 * j->occasions;
	double room = distance - (j->ratio > 1 + allowed ? far : near);
	size_t runs = room > 0 ? sp_stats_runs_needed(j->spread, room, chance) : SP_STATS_RUNS_MAX;

	return runs < SP_STATS_RUNS_MAX ? runs : 0;
}

static void answer(struct sp_gate_judgement *j, enum sp_gate_metric metric, double allowed, double chance)
{
	double least = sp_gate_metrics[metric].least;

	if (j->low > 1 + allowed && j->current - j->baseline > least)
		j->answer = SP_GATE_WORSE;
	else if (j->high <= 1 + allowed || (j->high - 1) * fmax(j->baseline, least) <= least)
		j->answer = j->high < 1 && j->baseline - j->current > least ? SP_GATE_BETTER : SP_GATE_FINE;
	else
		j->answer = SP_GATE_UNSURE;
	if (j->answer == SP_GATE_UNSURE)
		j->needed = runs_needed(j, allowed, chance);
}

struct sp_gate_judgement sp_gate_judge(enum sp_gate_metric metric, const struct sp_gate_values *baseline,
	const struct sp_gate_values *current, const struct sp_gate_terms *terms)
{
	const struct sp_gate_metric_info *info = &sp_gate_metrics[metric];
	struct sp_gate_judgement j = {.answer = SP_GATE_UNKNOWN, .ratio = 1, .low = 0, .high = INFINITY};
	double *a, *b, wider;
	struct sp_shift shift;

	j.current = sp_gate_median(current);
	j.baseline = sp_gate_median(baseline);
	if (!current->count || !baseline->count)
		return j;
	a = logs_of(baseline, info->least);
	b = logs_of(current, info->least);
	j.spread = spread_of(metric, a, baseline->count, b, current->count);
	j.occasions = isnan(terms->occasions) ? info->occasions : terms->occasions;
	if (metric == SP_GATE_CPU)
		j.occasions = hypot(j.occasions, SP_GATE_CONTENTION * terms->busy);
	shift = shift_of(a, baseline->count, b, current->count, j.spread, terms->chance);
	wider = sp_stats_t_quantile(terms->chance / 2, INFINITY) * M_SQRT2 * j.occasions;
	j.ratio = exp(shift.estimate);
	/* Independent errors: their squares add up. */
	j.low = exp(shift.estimate - hypot(shift.estimate - shift.low, wider));
	shift = shift_of(a, baseline->count, b, current->count, j.spread, 2 * SP_GATE_MISSED);
	wider = sp_stats_t_quantile(SP_GATE_MISSED, INFINITY) * M_SQRT2 * j.occasions;
	j.high = exp(shift.estimate + hypot(shift.high - shift.estimate, wider));
	answer(&j, metric, terms->allowed, terms->chance);
	free(a);
	free(b);
	return j;
}

struct sp_gate_judgement sp_gate_judge_limit(enum sp_gate_metric metric, const struct sp_gate_values *current,
	double limit, double chance)
{
	struct sp_gate_judgement j = {.answer = SP_GATE_UNKNOWN, .baseline = limit, .ratio = 1, .high = INFINITY};
	double *logs, half, freedom = (double)current->count - 1;

	if (!current->count || limit <= 0)
		return j;
	logs = logs_of(current, 1);
	j.current = sp_gate_median(current);
	j.spread = spread_of(metric, logs, current->count, logs, 1); /* one value has no spread of its own */
	half = sp_stats_t_quantile(chance / 2, freedom + 1 >= SPREAD_RUNS ? freedom : INFINITY) * j.spread /
		sqrt((double)current->count);
	j.ratio = j.current / limit;
	j.low = j.ratio * exp(-half);
	half = sp_stats_t_quantile(SP_GATE_MISSED, freedom + 1 >= SPREAD_RUNS ? freedom : INFINITY) * j.spread /
		sqrt((double)current->count);
	j.high = j.ratio * exp(half);
	j.answer = j.low > 1 ? SP_GATE_WORSE : j.high <= 1 ? SP_GATE_FINE : SP_GATE_UNSURE;
	if (j.answer == SP_GATE_UNSURE)
		j.needed = runs_needed(&j, 0, chance);
	free(logs);
	return j;
}

double sp_gate_occasions(const double *medians, size_t count)
{
	double *steps, deviation;

	if (count < SP_GATE_OCCASIONS_LEAST)
		return NAN;
	steps = sp_alloc(count, sizeof(*steps));
	for (size_t i = 1; i < count; i++)
		steps[i - 1] = fabs(log(fmax(medians[i], 1)) - log(fmax(medians[i - 1], 1)));
	/* The difference of two has twice the variance. */
	deviation = MAD_TO_DEVIATION * sp_stats_median(steps, count - 1) / M_SQRT2;
	free(steps);
	return deviation;
}
