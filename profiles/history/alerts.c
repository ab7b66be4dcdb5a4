/* What of the last runs people should be told. */
#include "profiles/history/alerts.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

const char *const sp_alert_names[] = {"none", "change", "limit", "drift", "once", "trend", "baseline"};

#define CHANGE_P 0.0005 /* of a series that is looked at after each run */
#define TREND_P (1.0 / 60 + 1e-9)

/* The level that holds now against the best of those before it that are not parted from it by a better one. */
static bool find_change(struct sp_alert *a, const struct sp_history_value *values, size_t n, double threshold)
{
	struct sp_changes changes = {0};
	bool found = false;

	sp_changes_find(&changes, values, n);
	for (size_t i = changes.count;
		i-- > 0 && changes.items[i].ratio > 1 && changes.items[i].after + SP_ALERT_NEW >= n;) {
		const struct sp_change *c = &changes.items[i], *last = &changes.items[changes.count - 1];

		if (c->state != SP_CHANGE_CONFIRMED || c->p > CHANGE_P ||
			last->level_after <= c->level_before * (1 + threshold))
			continue;
		*a = (struct sp_alert){SP_ALERT_CHANGE, true, c->after, c->level_before, last->level_after, NAN, c->p};
		found = true;
	}
	sp_changes_free(&changes);
	return found;
}

static bool find_limit(struct sp_alert *a, const double *values, size_t n, double threshold)
{
	double least = INFINITY;
	bool beyond = false;

	for (size_t last = 1; last <= SP_ALERT_RUNS_MOST && last < n; last++) {
		size_t from = n - last;
		struct sp_series_limit limit;
		double before = 0;

		/* Noise has more tail than any formula: what was there before is no news. */
		for (size_t i = from > SP_ALERT_NEW ? from - SP_ALERT_NEW : 0; i < from; i++)
			before = fmax(before, values[i]);
		least = fmin(least, values[from]);
		if (least <= before)
			continue;
		limit = sp_series_limit_of(values, from, threshold);
		limit.limit = fmax(limit.limit, before);
		if (least <= limit.limit)
			continue;
		beyond = true;
		*a = (struct sp_alert){last < SP_ALERT_RUNS ? SP_ALERT_ONCE : SP_ALERT_LIMIT, last >= SP_ALERT_RUNS,
			from, limit.expected, sp_stats_median(values + from, last), limit.limit, NAN};
	}
	return beyond;
}

static bool find_drift(struct sp_alert *a, const double *values, size_t n, double threshold)
{
	struct sp_series_drift drift = sp_drift_from_best(values, n, threshold);

	if (drift.grown)
		*a = (struct sp_alert){
			SP_ALERT_DRIFT, true, drift.from + SP_DRIFT_RUNS, drift.best, drift.recent, NAN, NAN};
	return drift.grown;
}

static bool find_trend(struct sp_alert *a, const double *values, size_t n)
{
	const double *last = values + n - SP_RECENT_TREND;
	struct sp_series_trend trend;

	if (n < SP_RECENT_TREND)
		return false;
	trend = sp_trend_exact(last, SP_RECENT_TREND);
	if (trend.direction <= 0 || trend.p > TREND_P || last[SP_RECENT_TREND - 1] < last[0] * (1 + SP_CHANGES_LEAST))
		return false;
	*a = (struct sp_alert){
		SP_ALERT_TREND, false, n - SP_RECENT_TREND, last[0], last[SP_RECENT_TREND - 1], NAN, trend.p};
	return true;
}

struct sp_alert sp_alert_of(const struct sp_history_value *values, size_t n, double threshold)
{
	struct sp_alert a = {.limit = NAN, .p = NAN}, limit;
	double *plain = sp_alloc(n + 1, sizeof(*plain));
	bool beyond;

	for (size_t i = 0; i < n; i++)
		plain[i] = values[i].value;
	beyond = find_limit(&limit, plain, n, threshold);
	if (!find_change(&a, values, n, threshold)) {
		if (beyond && limit.sure)
			a = limit;
		else if (!find_drift(&a, plain, n, threshold) && beyond)
			a = limit;
		else if (a.kind == SP_ALERT_NONE)
			find_trend(&a, plain, n);
	}
	free(plain);
	return a;
}

/* Of fewer runs a baseline's median is too uncertain. */
static void find_pinned(struct sp_alert *a, const struct sp_history_value *values, size_t n, size_t from,
	double threshold, const bool *pinned)
{
	double *plain = sp_alloc(2 * n + 1, sizeof(*plain)), *kept = plain + n;
	struct sp_series_drift drift = {0};
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		plain[i] = values[i].value;
		if (i >= from && pinned[i])
			kept[count++] = plain[i];
	}
	if (count >= SP_RECENT_TREND)
		drift = sp_drift_from_pinned(plain, n, sp_stats_median(kept, count), threshold);
	if (drift.grown)
		*a = (struct sp_alert){
			SP_ALERT_BASELINE, true, n - SP_RECENT_TREND, drift.best, drift.recent, NAN, NAN};
	free(plain);
}

struct sp_alert sp_alert_beside(const struct sp_history_value *values, size_t n, double threshold,
	const struct sp_alert_kept *kept)
{
	size_t from = kept->from < n ? kept->from : 0;
	struct sp_alert a = sp_alert_of(values + from, n - from, threshold);

	/* The level that was accepted begins where it became worse, also among runs of one commit. */
	while (a.kind != SP_ALERT_NONE && from + a.since < kept->end) {
		from += a.since ? a.since : 1;
		a = sp_alert_of(values + from, n - from, threshold);
	}
	a.since += from;
	if (!a.sure && kept->pinned)
		find_pinned(&a, values, n, from, threshold, kept->pinned);
	return a;
}
