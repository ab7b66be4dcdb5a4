/* Changes of series against brute force, and on series whose changes are known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiles/compare/stats.h"
#include "profiles/history/changes.h"
#include "profiles/history/segments.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)
#define SERIES 120u

static uint64_t random_state;

/* Evenly in 0 to 1; the same on every machine. */
static double even(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (double)(random_state >> 11) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(1 - even())) * cos(2 * M_PI * even());
}

/* --- segments */

static double distances_by_force(const double *x, const double *w, size_t n)
{
	double best = INFINITY;

	for (size_t m = 0; m < n; m++) {
		double sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += w[i] * fabs(x[i] - x[m]);
		best = fmin(best, sum);
	}
	return best;
}

static double cost_of(const double *x, const double *w, const size_t *ends, size_t count, double penalty)
{
	double cost = 0;

	for (size_t k = 0, begin = 0; k < count; begin = ends[k++])
		cost += penalty + distances_by_force(x + begin, w + begin, ends[k] - begin);
	return cost;
}

/* Each set of cuts is the bits of a number. */
static double best_by_force(const double *x, const double *w, size_t n, size_t least, double penalty)
{
	double best = INFINITY;

	for (unsigned cuts = 0; cuts < 1u << (n - 1); cuts++) {
		size_t ends[16], count = 0, begin = 0;
		bool allowed = true;

		for (size_t i = 1; i <= n; i++)
			if (i == n || cuts >> (i - 1) & 1) {
				allowed &= i - begin >= least;
				ends[count++] = begin = i;
			}
		if (allowed)
			best = fmin(best, cost_of(x, w, ends, count, penalty));
	}
	return best;
}

static void cuts_are_the_best(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		double x[11], w[11], penalty = 0.3 + 3 * even();
		size_t n = 2 + (size_t)(even() * 10), least = 1 + round % 3, ends[12], count;

		for (size_t i = 0; i < n; i++) {
			x[i] = floor(even() * 6) + (i > n / 2 ? round % 5 : 0);
			w[i] = round % 2 ? 1 : 0.25 + even();
		}
		if (n < least)
			continue;
		count = sp_segments_cut(x, w, n, least, penalty, ends);
		assert_int_equal(ends[count - 1], n);
		assert_near(cost_of(x, w, ends, count, penalty), best_by_force(x, w, n, least, penalty));
		assert_near(distances_by_force(x, w, n), cost_of(x, w, &n, 1, 0));
	}
}

static void a_split_is_the_best(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		double x[30], w[30], best = INFINITY;
		size_t n = 6 + round % 25, least = 1 + round % 3, at;

		for (size_t i = 0; i < n; i++) {
			x[i] = round % 4 ? normal() + (i > n / 3) * 2.0 : floor(4 * even());
			w[i] = round % 2 ? 1 : exp2(floor(8 * even()) / 4);
		}
		for (size_t i = least; i + least <= n; i++)
			best = fmin(best, cost_of(x, w, (const size_t[]){i, n}, 2, 0));
		at = sp_segments_split(x, w, n, least);
		assert_in_range(at, least, n - least);
		assert_near(cost_of(x, w, (const size_t[]){at, n}, 2, 0), best);
	}
}

static void median_by_weight(void **state)
{
	static const double x[] = {5, 1, 4, 2}, heavy[] = {1, 1, 1, 10}, equal[] = {1, 1, 1, 1};

	(void)state;
	assert_near(sp_weighted_median(x, heavy, 4), 2);
	assert_near(sp_weighted_median(x, equal, 3), 4);
	assert_near(sp_weighted_median(x, equal, 1), 5);
}

/* --- the permutation test */

static double by_force(const double *x, const double *w, size_t before, size_t n)
{
	double score[12], mean = 0, all = 0, seen = 0, counted = 0, draws = 0;

	for (size_t i = 0; i < n; i++) {
		score[i] = 0;
		for (size_t k = 0; k < n; k++)
			score[i] += x[k] < x[i] ? 1 : x[k] == x[i] ? 0.5 : 0;
		mean += w[i] * score[i];
		all += w[i];
	}
	for (size_t i = 0; i < n; i++)
		score[i] = w[i] * (score[i] - mean / all);
	for (size_t i = 0; i < before; i++)
		seen += score[i];
	for (unsigned drawn = 0; drawn < 1u << n; drawn++) {
		double sum = 0;

		if (__builtin_popcount(drawn) != (int)before)
			continue;
		for (size_t i = 0; i < n; i++)
			sum += drawn >> i & 1 ? score[i] : 0;
		draws++;
		counted += fabs(sum) >= fabs(seen) - 1e-9;
	}
	return counted / draws;
}

static void draws_are_counted(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		size_t n = 6 + round % 6, before = 1 + round % (n - 1);
		double x[12], w[12];

		for (size_t i = 0; i < n; i++) {
			x[i] = floor(even() * 8) + (i < before ? 0 : round % 4);
			w[i] = 0.5 + floor(even() * 4) / 4;
		}
		w[0] = 3;
		assert_near(sp_permutation_test(x, w, before, n), by_force(x, w, before, n));
	}
}

static void draws_with_equal_weights(void **state)
{
	static const double x[] = {1, 2, 2, 3, 5, 7, 2, 4, 6, 7, 8, 9}, w[12] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
	double many[80], weights[80];

	(void)state;
	assert_near(sp_permutation_test(x, w, 6, 12), sp_stats_rank_test(x, 6, x + 6, 6));
	/* Too many draws to count: close to what equal weights give. */
	for (size_t i = 0; i < COUNT(many); i++) {
		many[i] = normal() + (i < 40 ? 0 : 0.7);
		weights[i] = i % 2 ? 1 : 1.0001;
	}
	assert_true(fabs(log(sp_permutation_test(many, weights, 40, 80) /
			    sp_stats_rank_test(many, 40, many + 40, 40))) < 0.2);
}

/* --- changes */

static void fill(struct sp_history_value *values, size_t n, double noise)
{
	for (size_t i = 0; i < n; i++)
		values[i] = (struct sp_history_value){.value = exp(noise * normal()), .error = NAN};
}

static void step(struct sp_history_value *values, size_t from, size_t n, double ratio)
{
	for (size_t i = from; i < n; i++)
		values[i].value *= ratio;
}

static void a_step(void **state)
{
	struct sp_history_value values[60];
	struct sp_changes changes = {0};

	(void)state;
	fill(values, 60, 0.02);
	step(values, 37, 60, 1.1);
	sp_changes_find(&changes, values, 60);
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.items[0].state, SP_CHANGE_CONFIRMED);
	assert_in_range(changes.items[0].after, 36, 38);
	assert_int_equal(changes.items[0].before + 1, changes.items[0].after);
	assert_int_equal(changes.items[0].first, 0);
	assert_int_equal(changes.items[0].last, 59);
	assert_true(changes.items[0].low > 1.05 && changes.items[0].low < 1.1 && changes.items[0].high > 1.1);
	assert_true(fabs(changes.items[0].level_after / changes.items[0].level_before - 1.1) < 0.03);
	assert_false(changes.items[0].gradual);
	assert_in_range(changes.items[0].surely_before, 34, 36);
	assert_in_range(changes.items[0].surely_after, 37, 39);
	sp_changes_free(&changes);
}

static void up_and_down(void **state)
{
	struct sp_history_value values[50];
	struct sp_changes changes = {0};

	(void)state;
	fill(values, 50, 0.02);
	step(values, 20, 50, 1.3);
	step(values, 28, 50, 1 / 1.3);
	sp_changes_find(&changes, values, 50);
	assert_int_equal(changes.count, 2);
	assert_int_equal(changes.items[0].after, 20);
	assert_int_equal(changes.items[1].after, 28);
	assert_true(changes.items[1].ratio < 0.8 && changes.items[1].state == SP_CHANGE_CONFIRMED);
	sp_changes_free(&changes);
}

/* One run of three times the time is no change, nor are two in a row, wherever they are. */
static void outliers(void **state)
{
	for (size_t at = 0; at < 40; at++) {
		struct sp_history_value values[40];
		struct sp_changes changes = {0};

		fill(values, 40, 0.02);
		values[at].value *= 3;
		if (at + 1 < 40)
			values[at + 1].value *= 3;
		sp_changes_find(&changes, values, 40);
		assert_int_equal(changes.count, 0);
		sp_changes_free(&changes);
	}
	(void)state;
}

/* What only the last runs say, or fewer than ten in all, is suspected; five later runs confirm it. */
static void edges_are_suspected(void **state)
{
	static const struct {
		size_t before, after, found;
		enum sp_change_state state;
	} cases[] = {{17, 1, 0, 0}, {17, 2, 0, 0}, {17, 3, 1, SP_CHANGE_SUSPECTED}, {17, 5, 1, SP_CHANGE_CONFIRMED},
		{4, 5, 1, SP_CHANGE_SUSPECTED}, {3, 3, 1, SP_CHANGE_SUSPECTED}, {3, 2, 0, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sp_history_value values[30];
		struct sp_changes changes = {0};
		size_t n = cases[i].before + cases[i].after;

		for (size_t k = 0; k < n; k++)
			values[k] = (struct sp_history_value){.value = 100 + (double)(k * 7 % 5), .error = NAN};
		step(values, cases[i].before, n, 1.6);
		sp_changes_find(&changes, values, n);
		assert_int_equal(changes.count, cases[i].found);
		if (changes.count) {
			assert_int_equal(changes.items[0].after, cases[i].before);
			assert_int_equal(changes.items[0].state, cases[i].state);
		}
		sp_changes_free(&changes);
	}
}

/* --- where a change is */

static double log_likelihood(const double *x, const double *w, size_t n, size_t at, double scale)
{
	double levels[2] = {sp_weighted_median(x, w, at), sp_weighted_median(x + at, w + at, n - at)}, sum = 0;

	for (size_t i = 0; i < n; i++)
		sum -= 2.5 * log(1 + pow(w[i] * (x[i] - levels[i >= at]) / scale, 2) / 4);
	return sum;
}

/* The range is likely enough, and without its less likely end it is not. */
static void reach_by_force(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct sp_reach reach = {.least = 2 + round % 2,
			.spread = 0.5 + even(),
			.carried = round % 3 ? 0 : 0.5,
			.confidence = 0.5 + 0.49 * even()};
		size_t n = 8 + round % 12, at = reach.least + (size_t)(even() * (double)(n - 2 * reach.least + 1));
		double x[20], w[20], off[20], chance[20] = {0}, all = 0, within = 0, scale;

		for (size_t i = 0; i < n; i++) {
			x[i] = normal() + (i >= n / 2 ? round % 4 : 0);
			w[i] = round % 5 ? 1 : exp2(floor(8 * even()) / 4);
		}
		for (size_t i = 0; i < n; i++)
			off[i] = w[i] *
				fabs(x[i] -
					(i < at ? sp_weighted_median(x, w, at)
						: sp_weighted_median(x + at, w + at, n - at)));
		scale = fmax(sp_stats_median(off, n) / 0.740697, reach.spread * 0.67449 / 0.740697);
		for (size_t i = reach.least; i + reach.least <= n; i++) {
			chance[i] = exp(log_likelihood(x, w, n, i, scale) * (1 - reach.carried) / (1 + reach.carried));
			all += chance[i];
		}
		sp_segments_reach(&reach, x, w, n, at);
		assert_in_range(reach.from, reach.least, at);
		assert_in_range(reach.to, at, n - reach.least);
		for (size_t i = reach.from; i <= reach.to; i++)
			within += chance[i];
		assert_true(within >= (reach.confidence - 1e-9) * all);
		if (reach.from < at || reach.to > at)
			assert_true(within - fmax(chance[reach.from], chance[reach.to]) < reach.confidence * all);
	}
}

/* A drawn series: noise of a kind, and one step somewhere. */
enum noise { PLAIN, OUTLIERS, ERRORS, MOOD, NOISES };

static size_t draw_step(struct sp_history_value *values, size_t n, enum noise kind, double size)
{
	size_t at = 8 + (size_t)(even() * (double)(n - 16));
	double mood = 0;

	for (size_t i = 0; i < n; i++) {
		double off = normal(), error = NAN;

		if (kind == OUTLIERS && even() < 0.08)
			off -= 4 * log(1 - even());
		if (kind == MOOD)
			off = mood = 0.5 * mood + sqrt(0.75) * off;
		if (kind == ERRORS) {
			error = even() < 0.5 ? 0.3 : 2;
			off = 0.5 * off + error * normal();
		}
		values[i].value = exp(0.02 * (off + (i >= at ? size : 0)));
		values[i].error = 0.02 * error * values[i].value;
		values[i].machine = NULL;
	}
	return at;
}

/* Of confirmed steps in drawn series, how many are between the runs that are told: some 95 of 100 or more, whatever the noise. */
static void reach_covers(void **state)
{
	static const double sizes[] = {1, 1.5, 2, 3, 5};
	size_t found[NOISES] = {0}, covered[NOISES] = {0}, places[COUNT(sizes)] = {0}, counts[COUNT(sizes)] = {0},
	       small[COUNT(sizes)] = {0};

	(void)state;
	random_state = 17;
	for (unsigned round = 0; round < 2000; round++) {
		struct sp_history_value values[SERIES];
		struct sp_changes changes = {0};
		size_t n = 30 + (size_t)(even() * (SERIES - 30)), kind = round % NOISES,
		       size = round / NOISES % COUNT(sizes);
		size_t at = draw_step(values, n, (enum noise)kind, sizes[size]);

		sp_changes_find(&changes, values, n);
		if (changes.count == 1 && changes.items[0].state == SP_CHANGE_CONFIRMED && !changes.items[0].gradual) {
			const struct sp_change *c = &changes.items[0];

			assert_true(c->surely_before < c->after && c->surely_after >= c->after);
			assert_int_equal(c->places, c->surely_after - c->surely_before);
			found[kind]++;
			covered[kind] += c->surely_before < at && at <= c->surely_after;
			counts[size]++;
			places[size] += c->places;
			small[size] += c->small;
		}
		sp_changes_free(&changes);
	}
	for (size_t i = 0; i < COUNT(sizes); i++)
		print_message("a step of %.1f deviations may be at %.1f runs\n", sizes[i],
			(double)places[i] / (double)counts[i]);
	for (size_t i = 0; i < NOISES; i++) {
		print_message("noise %zu: %zu of %zu steps are where they are told to be\n", i, covered[i], found[i]);
		assert_true(found[i] > 250);
		assert_true((double)covered[i] >= 0.93 * (double)found[i]);
	}
	assert_true(places[4] < 3 * counts[4] && places[0] < 25 * counts[0]);
	assert_true(small[0] > counts[0] / 2 && !small[4]);
}

/* Machines take turns and come anew: each has its own level, and only the program's change is one. */
static void machines(void **state)
{
	struct sp_history_value values[80];
	struct sp_changes changes = {0};

	(void)state;
	fill(values, 80, 0.01);
	for (size_t i = 0; i < 80; i++) {
		values[i].machine = i % 3 ? "slow" : "fast";
		values[i].value *= i % 3 ? 2 : 1;
	}
	sp_changes_find(&changes, values, 80);
	assert_int_equal(changes.count, 0);
	step(values, 45, 80, 1.1);
	sp_changes_find(&changes, values, 80);
	assert_int_equal(changes.count, 2);
	for (size_t i = 0; i < changes.count; i++) {
		assert_in_range(changes.items[i].after, 45, 47);
		assert_ptr_equal(values[changes.items[i].before].machine, values[changes.items[i].after].machine);
		assert_ptr_equal(values[changes.items[i].surely_before].machine,
			values[changes.items[i].after].machine);
		assert_ptr_equal(values[changes.items[i].surely_after].machine, values[changes.items[i].after].machine);
		assert_true(changes.items[i].surely_before < 45 && changes.items[i].surely_after >= 45);
	}
	sp_changes_free(&changes);
}

/* Half of the runs were hardly measured: with their error bars the rest tells, without them nothing does. */
static void error_bars(void **state)
{
	size_t found[2] = {0};

	(void)state;
	for (unsigned round = 0; round < 40; round++)
		for (size_t known = 0; known < 2; known++) {
			struct sp_history_value values[40];
			struct sp_changes changes = {0};

			random_state = round;
			for (size_t i = 0; i < 40; i++) {
				double error = i % 2 ? 0.2 : 0.01, value = exp(error * normal());

				values[i] =
					(struct sp_history_value){.value = value, .error = known ? error * value : NAN};
			}
			step(values, 20, 40, 1.12);
			sp_changes_find(&changes, values, 40);
			for (size_t i = 0; i < changes.count; i++)
				found[known] += changes.items[i].after >= 18 && changes.items[i].after <= 22;
			sp_changes_free(&changes);
		}
	assert_true(found[1] >= 30);
	assert_true(found[1] > found[0] + 10);
}

static void a_slope(void **state)
{
	struct sp_history_value values[60];
	struct sp_changes changes = {0};

	(void)state;
	fill(values, 60, 0.01);
	for (size_t i = 0; i < 60; i++)
		values[i].value *= 1 + (double)i / 120;
	sp_changes_find(&changes, values, 60);
	assert_true(changes.count >= 1);
	for (size_t i = 0; i < changes.count; i++)
		assert_true(changes.items[i].gradual);
	sp_changes_free(&changes);
}

/* Where there is nearly no noise the drift is cut into many levels, which are joined again: the step must not be beside its place. */
static void a_step_in_a_drift(void **state)
{
	(void)state;
	random_state = 3;
	for (unsigned round = 0; round < 100; round++) {
		struct sp_history_value values[150];
		struct sp_changes changes = {0};
		size_t n = 40 + round, at = 10 + (size_t)(even() * (double)(n - 20));
		bool found = false;

		fill(values, n, round % 2 ? 0.0002 : 0.001);
		for (size_t i = 0; i < n; i++)
			values[i].value *= exp((round % 3 ? 0.001 : 0.003) * (double)i);
		step(values, at, n, round % 5 ? 1.2 : 0.8);
		sp_changes_find(&changes, values, n);
		for (size_t i = 0; i < changes.count; i++)
			found |= changes.items[i].after == at;
		if (!found)
			fail_msg("round %u: none of %zu changes is at %zu", round, changes.count, at);
		sp_changes_free(&changes);
	}
}

/* What cannot have a logarithm is left out; the same values over and over are no noise to learn from, but a step of them is one. */
static void odd_values(void **state)
{
	struct sp_history_value values[30];
	struct sp_changes changes = {0};

	(void)state;
	for (size_t i = 0; i < 30; i++)
		values[i] = (struct sp_history_value){.value = i < 14 ? 4096 : 8192, .error = i % 2 ? -1 : INFINITY};
	values[3].value = 0;
	values[7].value = NAN;
	values[20].value = INFINITY;
	values[21].value = -3;
	sp_changes_find(&changes, values, 30);
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.items[0].after, 14);
	assert_int_equal(changes.items[0].runs_before, 12);
	assert_near(changes.items[0].ratio, 2);
	sp_changes_free(&changes);
	sp_changes_find(&changes, values, 0);
	assert_int_equal(changes.count, 0);
}

/* 1,000 histories in which nothing changed, some of them moody. */
static void nothing_changed(void **state)
{
	size_t confirmed = 0, spoiled = 0;

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		struct sp_history_value values[SERIES];
		struct sp_changes changes = {0};
		size_t n = 10 + (size_t)(even() * (SERIES - 10));
		double mood = 0, lasts = round % 4 ? 0 : 0.4;

		fill(values, n, 0.03);
		for (size_t i = 0; i < n; i++) {
			mood = lasts * mood + 0.03 * normal();
			values[i].value *= exp(mood);
		}
		sp_changes_find(&changes, values, n);
		confirmed = 0;
		for (size_t i = 0; i < changes.count; i++)
			confirmed += changes.items[i].state == SP_CHANGE_CONFIRMED;
		spoiled += confirmed > 0;
		sp_changes_free(&changes);
	}
	print_message("%zu of 1000 unchanged series have a confirmed change\n", spoiled);
	assert_true(spoiled <= 20);
}

/* --- the last runs */

static void trends(void **state)
{
	static const double rising[] = {1, 2, 3, 4, 5}, falling[] = {9, 8, 7, 3, 1}, almost[] = {1, 2, 3, 5, 4},
			    same[] = {2, 2, 2, 2, 2}, tied[] = {1, 1, 2, 2, 3};

	(void)state;
	assert_int_equal(sp_trend_exact(rising, 5).direction, 1);
	assert_near(sp_trend_exact(rising, 5).p, 1.0 / 60);
	assert_int_equal(sp_trend_exact(falling, 5).direction, -1);
	assert_near(sp_trend_exact(falling, 5).p, 1.0 / 60);
	assert_near(sp_trend_exact(almost, 5).p, 10.0 / 120); /* one, or four with one neighbours' swap, a direction */
	assert_near(sp_trend_exact(same, 5).p, 1);
	assert_int_equal(sp_trend_exact(same, 5).direction, 0);
	assert_near(sp_trend_exact(tied, 5).p, 8.0 / 120); /* 2! 2! orders are the same, a direction */
	assert_near(sp_trend_exact(rising, 2).p, 1);
}

/* The limit is 20 % where noise is low, more where it is high; and noise passes it once in thousands of runs. */
static void limits(void **state)
{
	double values[60] = {0};
	size_t passed = 0, bare = 0;

	(void)state;
	assert_true(isinf(sp_series_limit_of(values, 0, SP_THRESHOLD).limit));
	for (size_t i = 0; i < 30; i++)
		values[i] = 100 + (double)(i * 7 % 3);
	assert_true(isinf(sp_series_limit_of(values, 4, SP_THRESHOLD).limit));
	assert_near(sp_series_limit_of(values, 30, SP_THRESHOLD).limit, 121.2);
	for (unsigned round = 0; round < 4000; round++) {
		struct sp_series_limit limit;
		double next;

		for (size_t i = 0; i < 25; i++)
			values[i] = exp(0.13 * normal());
		next = exp(0.13 * normal());
		limit = sp_series_limit_of(values, 25, SP_THRESHOLD);
		passed += next > limit.limit;
		bare += next > limit.expected * (1 + SP_THRESHOLD);
	}
	print_message("beyond the limit: %zu of 4000; beyond a bare 20 %%: %zu\n", passed, bare);
	assert_true(passed <= 10);
	assert_true(bare >= 200);
}

/* Forty steps of 1 %, each far below the threshold; the same beside a pinned value; and none where nothing moved. */
static void drifts(void **state)
{
	double values[45], still[45];
	struct sp_series_drift d;

	(void)state;
	for (size_t i = 0; i < 45; i++) {
		double noise = exp(0.01 * normal());

		still[i] = 100 * noise;
		values[i] = still[i] * pow(1.01, (double)i);
	}
	d = sp_drift_from_best(values, 45, SP_THRESHOLD);
	assert_true(d.grown && d.from < 5 && d.recent / d.best > 1.3);
	d = sp_drift_from_pinned(values, 45, 100, SP_THRESHOLD);
	assert_true(d.grown && d.best == 100);
	assert_false(sp_drift_from_best(still, 45, SP_THRESHOLD).grown);
	assert_false(sp_drift_from_pinned(still, 45, 100, SP_THRESHOLD).grown);
	assert_false(sp_drift_from_pinned(values, 45, 140, SP_THRESHOLD).grown);
	assert_false(sp_drift_from_best(values, 9, SP_THRESHOLD).grown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_are_the_best),
		cmocka_unit_test(a_split_is_the_best),
		cmocka_unit_test(median_by_weight),
		cmocka_unit_test(draws_are_counted),
		cmocka_unit_test(draws_with_equal_weights),
		cmocka_unit_test(a_step),
		cmocka_unit_test(up_and_down),
		cmocka_unit_test(outliers),
		cmocka_unit_test(edges_are_suspected),
		cmocka_unit_test(reach_by_force),
		cmocka_unit_test(reach_covers),
		cmocka_unit_test(machines),
		cmocka_unit_test(error_bars),
		cmocka_unit_test(a_slope),
		cmocka_unit_test(a_step_in_a_drift),
		cmocka_unit_test(odd_values),
		cmocka_unit_test(nothing_changed),
		cmocka_unit_test(trends),
		cmocka_unit_test(limits),
		cmocka_unit_test(drifts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
