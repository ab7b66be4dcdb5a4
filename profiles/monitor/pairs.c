/* Two commands, pair by pair.
 *
 * Two tests look at the same runs: that of ranks over all of them, which needs the fewest when the difference is plain, and that of
 * signed ranks of pairs, which what changes on the machine meanwhile does not reach. Each has its part of the chance of an error, and
 * spends it over the looks: 1/2, 1/6, 1/12 … of it, so that the sum over any number of looks is within it. */
#include "profiles/monitor/pairs.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

#define FIRST_LOOK 8u
#define LOOKS_APART 1.3
#define RANK_PART 0.6 /* of the chance, for the test of ranks */

const char *const sp_pairs_metric_names[SP_PAIRS_METRICS] = {"time", "CPU time", "peak memory"};

/* Parts of the chance, and values below which differences are the kernel's. */
static const struct {
	double part, least;
} metrics[SP_PAIRS_METRICS] = {
	[SP_PAIRS_WALL] = {0.6, 1e5}, [SP_PAIRS_CPU] = {0.25, 1e5}, [SP_PAIRS_PEAK] = {0.15, 65536}};

static size_t next_look(size_t pairs)
{
	return (size_t)ceil((double)pairs * LOOKS_APART);
}

bool sp_pairs_is_look(size_t pairs)
{
	size_t look = FIRST_LOOK;

	while (look < pairs)
		look = next_look(look);
	return look == pairs;
}

/* The number of the latest look, from 1; 0: there was none. *pairs: how many there were. */
static unsigned latest_look(size_t n, size_t *pairs)
{
	unsigned look = 0;

	*pairs = 0;
	for (size_t at = FIRST_LOOK; at <= n; at = next_look(at)) {
		*pairs = at;
		look++;
	}
	return look;
}

static double spent(double alpha, unsigned look)
{
	return alpha / ((double)look * (double)(look + 1));
}

static size_t count_more(const double *a, const double *b, size_t n, double shift, double alpha)
{
	double freedom, spread = sp_stats_spread(a, n, b, n, &freedom);
	size_t needed = sp_stats_runs_needed(spread, fmax(fabs(shift), log1p(SP_PAIRS_EFFECT)), alpha);

	if (needed >= SP_STATS_RUNS_MAX)
		return 0;
	return needed > n ? needed - n : next_look(n) - n;
}

static void judge(struct sp_pairs_verdict *verdict, enum sp_pairs_metric metric, const double *a, const double *b,
	size_t n, unsigned look, double share)
{
	double whole = SP_PAIRS_ALPHA * metrics[metric].part * share, alpha = spent(whole, look);
	double *d = sp_alloc(n, sizeof(*d));
	struct sp_shift shift, bounds;
	bool differs;

	for (size_t i = 0; i < n; i++)
		d[i] = b[i] - a[i];
	shift = sp_stats_paired_shift(d, n, SP_PAIRS_INTERVAL);
	bounds = sp_stats_paired_shift(d, n, spent(SP_PAIRS_ALPHA_SAME, look));
	differs = sp_stats_rank_test(a, n, b, n) <= RANK_PART * alpha ||
		sp_stats_signed_rank_test(d, n) <= (1 - RANK_PART) * alpha;
	verdict->ratio = exp(shift.estimate);
	verdict->low = exp(shift.low);
	verdict->high = exp(shift.high);
	if (differs && fabs(shift.estimate) >= log1p(SP_PAIRS_LEAST) && (shift.low > 0 || shift.high < 0))
		verdict->answer = shift.estimate > 0 ? SP_PAIRS_MORE : SP_PAIRS_LESS;
	else if (fmax(-bounds.low, bounds.high) < log1p(SP_PAIRS_EFFECT))
		verdict->answer = SP_PAIRS_SAME;
	else
		verdict->more = count_more(a, b, n, shift.estimate, RANK_PART * spent(whole, look + 1));
	free(d);
}

struct sp_pairs_verdict sp_pairs_judge(enum sp_pairs_metric metric, const double *first, const double *second, size_t n,
	double share)
{
	struct sp_pairs_verdict verdict = {.ratio = 1, .low = 0, .high = INFINITY};
	unsigned look = latest_look(n, &verdict.pairs);
	double *a = sp_alloc(n + 1, sizeof(*a)), *b = sp_alloc(n + 1, sizeof(*b));

	for (size_t i = 0; i < n; i++) {
		a[i] = log(fmax(first[i], metrics[metric].least));
		b[i] = log(fmax(second[i], metrics[metric].least));
	}
	if (look) {
		judge(&verdict, metric, a, b, verdict.pairs, look, share);
	} else {
		verdict.more = FIRST_LOOK - n;
		verdict.ratio = n ? exp(sp_stats_median(b, n) - sp_stats_median(a, n)) : 1;
	}
	free(a);
	free(b);
	return verdict;
}

static bool ended_alike(const struct sp_monitor_run *run, const struct sp_monitor_run *first)
{
	return !run->interrupted && run->state == first->state && run->exit_status == first->exit_status &&
		run->signal == first->signal && run->state != SP_MONITOR_TIMEOUT &&
		run->state != SP_MONITOR_NOT_STARTED;
}

void sp_pairs_judge_beyond(const struct sp_monitor_series *first, const struct sp_monitor_series *second, double share,
	const double grown[SP_PAIRS_METRICS], struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS])
{
	static const enum sp_monitor_metric values[SP_PAIRS_METRICS] = {
		SP_MONITOR_WALL, SP_MONITOR_CPU, SP_MONITOR_PEAK};
	size_t most = first->count < second->count ? first->count : second->count;
	double *a = sp_alloc(most + 1, sizeof(*a)), *b = sp_alloc(most + 1, sizeof(*b));

	for (unsigned m = 0; m < SP_PAIRS_METRICS; m++) {
		size_t n = 0;

		for (size_t i = 0; i < most; i++) {
			const struct sp_monitor_run *x = first->runs[i], *y = second->runs[i];

			if (!ended_alike(x, first->runs[0]) || !ended_alike(y, second->runs[0]))
				continue;
			a[n] = sp_monitor_value(x, values[m]) * grown[m];
			b[n++] = sp_monitor_value(y, values[m]);
		}
		verdicts[m] = sp_pairs_judge(m, a, b, n, share);
	}
	free(a);
	free(b);
}

void sp_pairs_judge_series(const struct sp_monitor_series *first, const struct sp_monitor_series *second, double share,
	struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS])
{
	static const double as_it_is[SP_PAIRS_METRICS] = {1, 1, 1};

	sp_pairs_judge_beyond(first, second, share, as_it_is, verdicts);
}
