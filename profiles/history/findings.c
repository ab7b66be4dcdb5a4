/* What stands out in a series of runs. Each rule says nothing unless it is sure: docs/HISTORY.md has them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stats.h"
#include "profiles/history/changes.h"
#include "profiles/history/plot.h"
#include "profiles/history/seen.h"
#include "symbolize/base/memory.h"

#define BEFORE 8u  /* runs at the least that "ever" is said of */
#define LEAST 0.10 /* smaller differences from what is usual are not told */
#define LATELY 20u /* runs that say how it goes now */
#define BLOCKS SP_TREND_MOST
#define SURE 0.001
#define GROWN 0.05     /* growth over all runs that is told */
#define EACH_HALF 0.2  /* of it, in each half of the runs: else it was a step */
#define WAITS 0.2      /* CPU time below this part of the time */
#define WAITS_NS 1e8   /* of runs that take longer than this */
#define SPREAD 0.10    /* of single runs */
#define MANY_TIMES 5   /* no number is told of more */
#define DISTURBED 0.05 /* of the time threads waited for a CPU */

const char *const sp_finding_names[SP_FINDING_KINDS] = {
	"failing", "flaky", "more", "less", "changed", "growing", "waiting", "noisy"};

/* Differences below are the kernel's. */
static const double least_value[SP_SEEN_METRICS] = {1e6, 1e6, 65536, 1e6, 1000};

struct sentence {
	struct sp_buffer text, evidence;
};

static void add(struct sp_findings *f, struct sentence *s, enum sp_finding_kind kind, enum sp_seen_metric metric,
	const struct sp_seen_run *run, double size)
{
	struct sp_finding *row;

	sp_grow(&f->items, &f->capacity, f->count + 1, sizeof(*f->items));
	row = &f->items[f->count++];
	*row = (struct sp_finding){
		.kind = kind, .metric = metric, .text = s->text.data, .evidence = s->evidence.data, .size = size};
	memcpy(row->id, run->id, sizeof(row->id));
	*s = (struct sentence){0};
}

static void put(struct sp_buffer *out, enum sp_seen_metric metric, double value)
{
	sp_history_put_value(out, sp_seen_keys[metric], value);
}

/* --- how it ends */

static const struct sp_seen_run *last_failed(const struct sp_seen *seen, size_t from)
{
	const struct sp_seen_run *last = NULL;

	for (size_t i = from; i < seen->count; i++)
		if (seen->runs[i].failed)
			last = &seen->runs[i];
	return last;
}

static size_t count_failed(const struct sp_seen *seen, size_t from)
{
	size_t failed = 0;

	for (size_t i = from; i < seen->count; i++)
		failed += seen->runs[i].failed;
	return failed;
}

static size_t count_good(const struct sp_seen *seen, size_t from, size_t to)
{
	size_t good = 0;

	for (size_t i = from; i < to; i++)
		good += seen->runs[i].good;
	return good;
}

/* Failures at the end, in a row. */
static size_t failed_at_end(const struct sp_seen *seen)
{
	size_t n = 0;

	while (n < seen->count && seen->runs[seen->count - 1 - n].failed)
		n++;
	return n;
}

static void find_failing(struct sp_findings *f, const struct sp_seen *seen, size_t fresh)
{
	size_t failed = failed_at_end(seen), good, first = seen->count - failed;
	struct sentence s = {0};

	good = count_good(seen, 0, first);
	if (!failed || failed < fresh || good < BEFORE || count_failed(seen, 0) > failed)
		return;
	sp_buffer_printf(&s.text, "fails now: %s", seen->runs[seen->count - 1].ending);
	sp_buffer_printf(&s.evidence, failed > 1 ? "the last %zu runs; " : "the last run; ", failed);
	sp_buffer_printf(&s.evidence, "all %zu before went well", good);
	add(f, &s, SP_FINDING_FAILING, SP_SEEN_WALL, &seen->runs[first], (double)failed);
}

/* Whether runs of one build did both. */
static bool is_one_build(const struct sp_seen *seen, size_t from)
{
	for (size_t i = from; i < seen->count; i++)
		if (strcmp(seen->runs[i].build, seen->runs[seen->count - 1].build) != 0)
			return false;
	return *seen->runs[seen->count - 1].build;
}

/* Failed, and went well again: twice or more. */
static void find_flaky(struct sp_findings *f, const struct sp_seen *seen)
{
	size_t from = seen->count > LATELY ? seen->count - LATELY : 0, recovered = 0, failed = count_failed(seen, from);
	const struct sp_seen_run *last = last_failed(seen, from);
	struct sentence s = {0};

	for (size_t i = from + 1; i < seen->count; i++)
		recovered += seen->runs[i - 1].failed && seen->runs[i].good;
	if (recovered < 2)
		return;
	sp_buffer_printf(&s.text, "flaky: %zu of the last %zu runs failed, with others that went well between", failed,
		seen->count - from);
	sp_buffer_printf(&s.evidence, "last: %s%s", last->ending,
		is_one_build(seen, from) ? "; one build of the program did both" : "");
	add(f, &s, SP_FINDING_FLAKY, SP_SEEN_WALL, last, (double)failed);
}

/* --- what it takes */

static double spread_of(const double *values, size_t n)
{
	double *logs = sp_alloc(n, sizeof(*logs)), spread;

	for (size_t i = 0; i < n; i++)
		logs[i] = log(fmax(values[i], 1));
	spread = sp_series_spread(logs, n);
	free(logs);
	return spread;
}

/* Time that was waited for a CPU is the machine's. */
static double disturbed(const struct sp_seen *seen, size_t from)
{
	double queue = 0, wall = 0;

	for (size_t i = from; i < seen->count; i++) {
		const double *values = seen->runs[i].values;

		if (isnan(values[SP_SEEN_QUEUE]) || isnan(values[SP_SEEN_WALL]))
			continue;
		queue += values[SP_SEEN_QUEUE];
		wall += values[SP_SEEN_WALL];
	}
	return wall > 0 ? queue / wall : 0;
}

/* Time, and what CPU time grows by when others use the caches, is the machine's where threads waited for a CPU. */
static bool is_of_machine(const struct sp_seen *seen, enum sp_seen_metric metric, size_t from)
{
	return (metric == SP_SEEN_WALL || metric == SP_SEEN_CPU) && disturbed(seen, from) >= DISTURBED;
}

/* How far the newest are beyond what noise reaches once in 2,000 runs: above all before, or below all; a ratio to what is
 * usual, 1: they are not. */
static double beyond(const double *values, size_t before, size_t fresh)
{
	double usual = sp_stats_median(values, before), now = sp_stats_median(values + before, fresh), least, most;
	struct sp_series_limit limit = sp_series_limit_of(values, before, LEAST);

	least = sp_stats_least(values + before, fresh);
	most = sp_stats_most(values + before, fresh);
	if (usual <= 0 || !isfinite(limit.learned))
		return 1;
	if (least > sp_stats_most(values, before) && now > limit.limit)
		return now / usual;
	if (most < sp_stats_least(values, before) && now < usual * usual / limit.limit)
		return now / usual;
	return 1;
}

static void put_extreme(struct sentence *s, enum sp_seen_metric metric, bool more, const double *values, size_t before,
	size_t fresh)
{
	static const char *const words[SP_SEEN_METRICS][2] = {[SP_SEEN_WALL] = {"faster than ever", "slower than ever"},
		[SP_SEEN_CPU] = {"less CPU time than ever", "more CPU time than ever"},
		[SP_SEEN_PEAK] = {"less memory than ever", "more memory than ever"},
		[SP_SEEN_MISSES] = {"fewer cache misses than ever", "more cache misses than ever"}};

	sp_buffer_printf(&s->text, "%s: ", words[metric][more]);
	put(&s->text, metric, sp_stats_median(values + before, fresh));
	sp_buffer_puts(&s->evidence, "usually ");
	put(&s->evidence, metric, sp_stats_median(values, before));
	sp_buffer_puts(&s->evidence, more ? ", at most " : ", at least ");
	put(&s->evidence, metric, more ? sp_stats_most(values, before) : sp_stats_least(values, before));
	sp_buffer_printf(&s->evidence, " in %zu runs before", before);
}

static void find_extreme(struct sp_findings *f, const struct sp_seen *seen, enum sp_seen_metric metric, size_t fresh)
{
	double *values, ratio;
	size_t *indexes, n = sp_seen_values(seen, metric, &values, &indexes), new = 0;
	struct sentence s = {0};

	while (new < n && indexes[n - 1 - new] >= seen->count - fresh)
		new ++;
	if (new &&n - new >= BEFORE) {
		ratio = beyond(values, n - new, new);
		if (ratio != 1 &&
			fabs(sp_stats_median(values + n - new, new) - sp_stats_median(values, n - new)) >=
				least_value[metric]) {
			put_extreme(&s, metric, ratio > 1, values, n - new, new);
			add(f, &s, ratio > 1 ? SP_FINDING_MORE : SP_FINDING_LESS, metric, &seen->runs[indexes[n - 1]],
				fabs(log(ratio)));
		}
	}
	free(values);
	free(indexes);
}

/* The last step that is confirmed; a slope is told of by find_growing. */
static const struct sp_change *last_step(const struct sp_changes *changes)
{
	for (size_t i = changes->count; i-- > 0;) {
		const struct sp_change *change = &changes->items[i];

		if (change->state == SP_CHANGE_CONFIRMED && change->p <= SURE && !change->gradual &&
			fabs(log(change->ratio)) >= log1p(GROWN))
			return change;
	}
	return NULL;
}

static void put_change(struct sentence *s, enum sp_seen_metric metric, const struct sp_change *change, size_t ago)
{
	static const char *const words[SP_SEEN_METRICS][2] = {[SP_SEEN_WALL] = {"faster", "slower"},
		[SP_SEEN_CPU] = {"less CPU time", "more CPU time"},
		[SP_SEEN_PEAK] = {"less memory", "more memory"},
		[SP_SEEN_MISSES] = {"fewer cache misses", "more cache misses"}};

	sp_buffer_printf(&s->text, "%s since a run %zu runs ago: %+.0f %%", words[metric][change->ratio > 1], ago,
		100 * (change->ratio - 1));
	put(&s->evidence, metric, change->level_before);
	sp_buffer_printf(&s->evidence, " in %zu runs before, ", change->runs_before);
	put(&s->evidence, metric, change->level_after);
	sp_buffer_printf(&s->evidence, " in %zu since", change->runs_after);
}

static void find_changed(struct sp_findings *f, const struct sp_seen *seen, enum sp_seen_metric metric)
{
	double *values;
	size_t *indexes, n = sp_seen_values(seen, metric, &values, &indexes);
	struct sp_history_value *rows = sp_alloc(n + 1, sizeof(*rows));
	const struct sp_change *change;
	struct sp_changes changes = {0};
	struct sentence s = {0};

	for (size_t i = 0; i < n; i++)
		rows[i] = (struct sp_history_value){.value = values[i], .error = NAN};
	sp_changes_find(&changes, rows, n);
	change = last_step(&changes);
	if (change && !is_of_machine(seen, metric, indexes[change->after]) &&
		fabs(change->level_after - change->level_before) >= least_value[metric]) {
		put_change(&s, metric, change, n - change->after);
		add(f, &s, SP_FINDING_CHANGED, metric, &seen->runs[indexes[change->after]], fabs(log(change->ratio)));
	}
	sp_changes_free(&changes);
	free(rows);
	free(values);
	free(indexes);
}

/* Medians of equal parts, which rise one after the other: by chance alone once in 20,160 times (both directions). */
static void find_growing(struct sp_findings *f, const struct sp_seen *seen, enum sp_seen_metric metric)
{
	static const char *const words[SP_SEEN_METRICS] = {[SP_SEEN_WALL] = "takes longer and longer",
		[SP_SEEN_CPU] = "uses more and more CPU time",
		[SP_SEEN_PEAK] = "uses more and more memory",
		[SP_SEEN_MISSES] = "has more and more cache misses"};
	double *values, medians[BLOCKS], growth;
	size_t *indexes, n = sp_seen_values(seen, metric, &values, &indexes);
	struct sp_series_trend trend;
	struct sentence s = {0};

	for (size_t i = 0; i < BLOCKS && n >= BLOCKS; i++)
		medians[i] = sp_stats_median(values + i * n / BLOCKS, (i + 1) * n / BLOCKS - i * n / BLOCKS);
	if (n >= BLOCKS) {
		growth = medians[BLOCKS - 1] - medians[0];
		/* The orders come last: there are 40,320. */
		if (growth >= GROWN * medians[0] && growth >= least_value[metric] &&
			medians[BLOCKS / 2 - 1] - medians[0] >= EACH_HALF * growth &&
			medians[BLOCKS - 1] - medians[BLOCKS / 2] >= EACH_HALF * growth &&
			!is_of_machine(seen, metric, seen->count / 2) &&
			(trend = sp_trend_exact(medians, BLOCKS)).direction > 0 && trend.p <= SURE) {
			sp_buffer_printf(&s.text, "%s: from ", words[metric]);
			put(&s.text, metric, medians[0]);
			sp_buffer_puts(&s.text, " to ");
			put(&s.text, metric, medians[BLOCKS - 1]);
			sp_buffer_printf(&s.evidence, "over %zu runs, medians of %u parts that rise (p = %.1g)", n,
				BLOCKS, trend.p);
			add(f, &s, SP_FINDING_GROWING, metric, &seen->runs[indexes[n - 1]],
				log(medians[BLOCKS - 1] / fmax(medians[0], 1)));
		}
	}
	free(values);
	free(indexes);
}

/* --- what its time is */

/* The last good runs. */
static struct sp_seen lately(const struct sp_seen *seen)
{
	size_t from = seen->count > LATELY ? seen->count - LATELY : 0;

	return (struct sp_seen){.runs = seen->runs + from, .count = seen->count - from};
}

static void find_waiting(struct sp_findings *f, const struct sp_seen *seen)
{
	struct sp_seen last = lately(seen);
	double *wall, *cpu, used, took;
	size_t *of_wall, *of_cpu, n = sp_seen_values(&last, SP_SEEN_WALL, &wall, &of_wall);
	size_t n_cpu = sp_seen_values(&last, SP_SEEN_CPU, &cpu, &of_cpu);
	struct sentence s = {0};

	if (n >= 3 && n == n_cpu) {
		used = sp_stats_median(cpu, n);
		took = sp_stats_median(wall, n);
		if (took >= WAITS_NS && used < WAITS * took && disturbed(&last, 0) < DISTURBED) {
			sp_buffer_printf(&s.text, "mostly waits: %.0f %% of its time is no CPU time",
				100 * (1 - used / took));
			put(&s.evidence, SP_SEEN_CPU, used);
			sp_buffer_puts(&s.evidence, " of CPU time in ");
			put(&s.evidence, SP_SEEN_WALL, took);
			sp_buffer_printf(&s.evidence, ", medians of %zu runs", n);
			add(f, &s, SP_FINDING_WAITING, SP_SEEN_WALL, &last.runs[of_wall[n - 1]], 1 - used / took);
		}
	}
	free(wall);
	free(of_wall);
	free(cpu);
	free(of_cpu);
}

static void find_noisy(struct sp_findings *f, const struct sp_seen *seen)
{
	struct sp_seen last = lately(seen);
	double *wall, spread, part = disturbed(&last, 0);
	size_t *indexes, n = sp_seen_values(&last, SP_SEEN_WALL, &wall, &indexes);
	struct sentence s = {0};

	spread = n >= 5 ? spread_of(wall, n) : 0;
	if (spread >= SPREAD && part >= DISTURBED) {
		struct sp_series_limit limit = sp_series_limit_of(wall, n, 0);

		sp_buffer_puts(&s.text, "the machine is too noisy to tell");
		if (isfinite(limit.learned) && limit.learned > MANY_TIMES * limit.expected)
			sp_buffer_puts(&s.text, " many times as much from chance");
		else if (isfinite(limit.learned))
			sp_buffer_printf(&s.text, " %.0f %% more from chance",
				100 * (limit.learned / limit.expected - 1));
		sp_buffer_printf(&s.evidence,
			"threads waited for a CPU for %.0f %% of the time; single runs vary by %.0f %%", 100 * part,
			100 * expm1(spread));
		add(f, &s, SP_FINDING_NOISY, SP_SEEN_WALL, &last.runs[indexes[n - 1]], part);
	}
	free(wall);
	free(indexes);
}

/* --- all of them */

static int by_worth(const void *a, const void *b)
{
	const struct sp_finding *x = a, *y = b;

	if (x->kind != y->kind)
		return (x->kind > y->kind) - (x->kind < y->kind);
	return (x->size < y->size) - (x->size > y->size);
}

static void sort(struct sp_findings *f)
{
	if (f->count)
		qsort(f->items, f->count, sizeof(*f->items), by_worth);
}

static const enum sp_seen_metric told[] = {SP_SEEN_WALL, SP_SEEN_CPU, SP_SEEN_PEAK, SP_SEEN_MISSES};
#define TOLD (sizeof(told) / sizeof(told[0]))

void sp_findings_of_newest(struct sp_findings *f, const struct sp_seen *seen, size_t fresh)
{
	if (!fresh || fresh > seen->count)
		return;
	find_failing(f, seen, fresh);
	for (size_t i = 0; i < TOLD; i++)
		if (!is_of_machine(seen, told[i], seen->count - fresh))
			find_extreme(f, seen, told[i], fresh);
	sort(f);
}

void sp_findings_find(struct sp_findings *f, const struct sp_seen *seen)
{
	if (!seen->count)
		return;
	sp_findings_of_newest(f, seen, 1);
	find_flaky(f, seen);
	for (size_t i = 0; i < TOLD; i++) {
		find_changed(f, seen, told[i]);
		find_growing(f, seen, told[i]);
	}
	find_waiting(f, seen);
	find_noisy(f, seen);
	sort(f);
}

void sp_findings_free(struct sp_findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].text);
		free(f->items[i].evidence);
	}
	free(f->items);
	*f = (struct sp_findings){0};
}
