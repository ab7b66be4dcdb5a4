/* The statistics of comparisons against published values and scipy 1.10.1. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiles/compare/stats.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-6)

/* Permeability constants, Hollander & Wolfe (1973), p. 69; R's example of wilcox.test. */
static const double permeability_x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
static const double permeability_y[] = {1.15, 0.88, 0.90, 0.74, 1.21};

static void student(void **state)
{
	(void)state;
	/* stats.t.sf([2.228, 1.5, 3.0], [10, 7, 1]); stats.t.isf(.005, 9); stats.norm.isf([.0025, .1]) */
	assert_near(sp_stats_t_tail(2.228, 10), 0.02500589);
	assert_near(sp_stats_t_tail(1.5, 7), 0.08864924);
	assert_near(sp_stats_t_tail(3, 1), 0.10241638);
	assert_near(sp_stats_t_quantile(0.005, 9), 3.24983554401537);
	assert_near(sp_stats_t_quantile(0.0025, INFINITY), 2.8070337683438042);
	assert_near(sp_stats_t_quantile(0.1, INFINITY), 1.2815515655446004);
}

static void rank_test(void **state)
{
	static const double a[] = {1, 2, 2, 3, 5, 7}, b[] = {2, 4, 6, 7, 8, 9}, same[] = {4, 4, 4};

	(void)state;
	/* stats.mannwhitneyu(x, y, method='exact') */
	assert_near(sp_stats_rank_test(permeability_x, 10, permeability_y, 5), 0.2544122544122544);
	assert_near(sp_stats_rank_test(permeability_y, 5, permeability_x, 10), 0.2544122544122544);
	/* With ties: over all itertools.combinations of stats.rankdata(a + b), twice the smaller tail. */
	assert_near(sp_stats_rank_test(a, 6, b, 6), 0.09740259740259741);
	assert_near(sp_stats_rank_test(same, 3, same, 3), 1);
}

static void rank_test_of_many(void **state)
{
	/* rng = numpy.random.default_rng(1); a = rng.normal(10, 1, 31), b = rng.normal(10.5, 1, 32), rounded to 3;
	 * stats.mannwhitneyu(a, b, method='asymptotic') */
	static const double a[] = {10.346, 10.822, 10.33, 8.697, 10.905, 10.446, 9.463, 10.581, 10.365, 10.294, 10.028,
		10.547, 9.264, 9.837, 9.518, 10.599, 10.04, 9.708, 9.218, 9.743, 10.008, 9.724, 11.294, 11.007, 7.289,
		8.111, 9.825, 9.578, 10.214, 10.217, 12.118};
	static const double b[] = {9.388, 10.122, 12.543, 11.147, 11.163, 9.986, 8.852, 10.667, 10.609, 9.273, 9.817,
		10.428, 9.555, 10.402, 10.595, 10.536, 9.994, 11.094, 11.391, 10.821, 9.682, 11.232, 9.999, 11.379,
		9.428, 11.414, 10.48, 9.251, 10.186, 10.554, 10.773, 9.518};
	struct sp_shift shift;

	(void)state;
	assert_true(COUNT(a) * COUNT(b) >= SP_STATS_EXACT_PAIRS);
	assert_near(sp_stats_rank_test(a, COUNT(a), b, COUNT(b)), 0.13398568997336022);
	shift = sp_stats_shift(a, COUNT(a), b, COUNT(b), 0.05);
	assert_true(shift.low < 0 && shift.high > shift.estimate && shift.estimate > 0);
}

/* Sides of very unequal size are as the sides swapped, and cost next to nothing: by the larger side it would be
 * gigabytes. With one run, its rank is as good as any other; with two, sums of two ranks. */
static void unequal_sides(void **state)
{
	static double many[899], two[] = {-2, -1};
	struct sp_shift forth, back;
	double middle = 449.25;

	(void)state;
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = (double)i;
	assert_near(sp_stats_rank_test(many, 899, two, 1), 2.0 / 900);
	assert_near(sp_stats_rank_test(two, 1, many, 899), 2.0 / 900);
	assert_near(sp_stats_rank_test(many, 899, &middle, 1), 1);
	assert_near(sp_stats_rank_test(many, 300, two, 2), 2.0 / (302 * 301 / 2));
	assert_near(sp_stats_rank_test(two, 2, many, 300), 2.0 / (302 * 301 / 2));
	forth = sp_stats_shift(many, 300, two, 2, 0.01);
	back = sp_stats_shift(two, 2, many, 300, 0.01);
	assert_near(forth.estimate, -back.estimate);
	assert_near(forth.low, -back.high);
	assert_near(forth.high, -back.low);
	/* Of differences -1 - i and -2 - i, two of each number: 301 down to 1. */
	assert_near(back.estimate, 151);
	assert_true(isfinite(back.low) && back.low < 20);
}

#define SHIFT_C 38 /* 2 P(U < 38) = .0474 for 13 against 11, counted */

/* The medians of all differences against those written down and sorted; ties, signs and zeros among them. */
static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void differences_in_order(void **state)
{
	double a[13], b[11], all[13 * 11];

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct sp_shift shift;

		for (size_t i = 0; i < COUNT(a); i++)
			a[i] = (double)(i * 7919 * (round + 1) % 23) / (round % 5 + 1) - 9;
		for (size_t i = 0; i < COUNT(b); i++)
			b[i] = (double)(i * 104729 * (round + 3) % 19) / (round % 3 + 1) - 9;
		for (size_t i = 0; i < COUNT(all); i++)
			all[i] = b[i % COUNT(b)] - a[i / COUNT(b)];
		qsort(all, COUNT(all), sizeof(*all), by_size);
		shift = sp_stats_shift(a, COUNT(a), b, COUNT(b), 0.05);
		assert_true(shift.estimate == all[COUNT(all) / 2]);
		assert_true(shift.low == all[SHIFT_C - 1]);
		assert_true(shift.high == all[COUNT(all) - SHIFT_C]);
	}
}

static void least_p(void **state)
{
	(void)state;
	/* benchstat's table: .029 at 4 against 4, .0079 at 5, .0022 at 6. */
	assert_near(sp_stats_rank_least(4, 4), 2.0 / 70);
	assert_near(sp_stats_rank_least(5, 5), 2.0 / 252);
	assert_near(sp_stats_rank_least(6, 6), 2.0 / 924);
	assert_near(sp_stats_rank_least(1, 1), 1);
	assert_near(sp_stats_rank_least(899, 1), 2.0 / 900);
	assert_true(sp_stats_rank_least(2000, 1) > 0.05); /* by the normal approximation */
	assert_true(sp_stats_rank_least(30, 30) < 1e-9);
}

static void hodges_lehmann(void **state)
{
	static const double one[] = {1}, two[] = {3};
	struct sp_shift shift = sp_stats_shift(permeability_y, 5, permeability_x, 10, 0.05);

	(void)state;
	/* Hollander & Wolfe, pp. 75 and 79: 0.305, and from the ninth to the last but eighth difference. */
	assert_near(shift.estimate, 0.305);
	assert_near(shift.low, -0.15);
	assert_near(shift.high, 0.76);
	shift = sp_stats_shift(one, 1, two, 1, 0.05);
	assert_near(shift.estimate, 2);
	assert_true(isinf(shift.low) && isinf(shift.high));
}

static void the_interval_agrees_with_the_test(void **state)
{
	/* 6 against 6 at .005: the second of 36 differences; P(U <= 1) * 2 = .00433. */
	static const double a[] = {1, 2, 3, 4, 5, 6.5}, b[] = {6, 7, 8, 9, 10, 11};
	struct sp_shift shift = sp_stats_shift(a, 6, b, 6, 0.005);

	(void)state;
	assert_near(sp_stats_rank_test(a, 6, b, 6), 4.0 / 924);
	assert_near(shift.low, 0.5);
	assert_near(shift.high, 9);
}

/* The example of Benjamini & Hochberg (1995), section 3.2: at .05 theirs rejects four, Holm's three. */
static void several_tests(void **state)
{
	static const double p[] = {0.5719, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459,
		0.3240, 0.4262, 0.6528, 0.7590, 1.0};
	double adjusted[COUNT(p)];
	size_t rejected = 0;

	(void)state;
	sp_stats_benjamini_hochberg(p, COUNT(p), adjusted);
	for (size_t i = 0; i < COUNT(p); i++)
		rejected += adjusted[i] <= 0.05;
	assert_int_equal(rejected, 4);
	assert_near(adjusted[4], 0.0095 * 15 / 4);
	sp_stats_holm(p, NULL, COUNT(p), adjusted);
	rejected = 0;
	for (size_t i = 0; i < COUNT(p); i++)
		rejected += adjusted[i] <= 0.05;
	assert_int_equal(rejected, 3);
	assert_near(adjusted[3], 0.0019 * 13);
	assert_near(adjusted[14], 1);
}

/* By hand: .01/3 < .02/1, so first .01 * 4 / 3, then .02 * 1 / 1. */
static void weighted_holm(void **state)
{
	static const double p[] = {0.02, 0.01}, weights[] = {1, 3};
	double adjusted[2];

	(void)state;
	sp_stats_holm(p, weights, 2, adjusted);
	assert_near(adjusted[1], 0.01 * 4 / 3);
	assert_near(adjusted[0], 0.02);
}

static void runs_needed(void **state)
{
	(void)state;
	/* ceil(2 * (norm.isf(.0025) + norm.isf(.1))**2 * .05**2 / .1**2 / (3 / pi)) = 9 */
	assert_int_equal(sp_stats_runs_needed(0.05, 0.1, 0.005), 9);
	assert_int_equal(sp_stats_runs_needed(0, 0.1, 0.005), 6);
	assert_int_equal(sp_stats_runs_needed(0, 0.1, 0.05), 4);
	assert_int_equal(sp_stats_runs_needed(1e9, 0.1, 0.05), SP_STATS_RUNS_MAX);
}

static void spread(void **state)
{
	static const double a[] = {1, 3}, b[] = {10, 14};
	double freedom;

	(void)state;
	assert_near(sp_stats_spread(a, 2, b, 2, &freedom), sqrt(5));
	assert_near(freedom, 2);
	assert_near(sp_stats_spread(a, 1, b, 1, &freedom), 0);
	assert_near(freedom, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(student),
		cmocka_unit_test(rank_test),
		cmocka_unit_test(rank_test_of_many),
		cmocka_unit_test(unequal_sides),
		cmocka_unit_test(differences_in_order),
		cmocka_unit_test(least_p),
		cmocka_unit_test(hodges_lehmann),
		cmocka_unit_test(the_interval_agrees_with_the_test),
		cmocka_unit_test(several_tests),
		cmocka_unit_test(weighted_holm),
		cmocka_unit_test(runs_needed),
		cmocka_unit_test(spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
