/* The arithmetic of Poisson sampling by bytes, against libm and by simulation. The random numbers are the same in every
 * run: what passes once passes always. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sampler/heap/estimate.h"
#include "tests/unit/sampler_spool.h"

#define PROMISED 1e-9 /* relative error, sampler/heap/estimate.h */
#define DRAWS 1000000u

static void assert_near(double is, double expected, double tolerance)
{
	if (!(fabs(is - expected) <= tolerance))
		fail_msg("%.12g, expected %.12g +- %.3g", is, expected, tolerance);
}

static double relative_error(double is, double expected)
{
	return expected == 0 ? fabs(is) : fabs(is - expected) / fabs(expected);
}

static void exp_is_libms(void **state)
{
	double worst = 0, x;

	(void)state;
	for (x = 0; x <= 8; x += 1e-5)
		worst = fmax(worst, relative_error(sp_exp_minus(x), exp(-x)));
	for (x = 1e-12; x < 8; x *= 1.001)
		worst = fmax(worst, relative_error(sp_exp_minus(x), exp(-x)));
	worst = fmax(worst, relative_error(sp_exp_minus(8), exp(-8)));
	assert_near(worst, 0, PROMISED);
	assert_true(sp_exp_minus(0) == 1);
}

static void log_is_libms(void **state)
{
	const double whole = 9007199254740992.0; /* 2^53 */
	uint64_t random = 1, u, step;
	double worst = 0;

	(void)state;
	for (step = 0; step < DRAWS; step++) {
		u = (next_random(&random) >> 11 >> next_random(&random) % 53) + 1;
		worst = fmax(worst, relative_error(sp_minus_log(u), -log((double)u / whole)));
	}
	/* Near 1 the logarithm itself is tiny; log1p keeps its digits. */
	for (step = 1; step < 1u << 20; step += step / 1000 + 1) {
		u = (1ull << 53) - step;
		worst = fmax(worst, relative_error(sp_minus_log(u), -log1p(-(double)step / whole)));
	}
	for (step = 1; step < 1000; step++)
		worst = fmax(worst, relative_error(sp_minus_log(step), -log((double)step / whole)));
	assert_near(worst, 0, PROMISED);
	assert_true(sp_minus_log(1ull << 53) == 0);
}

/* An exponential cut off at c has mean 1 - e^-c and second moment 2 (1 - (1 + c) e^-c). */
static void picks_have_the_right_mean_variance_and_cut_off(void **state)
{
	const uint64_t interval = 1u << 20;
	const double c = SP_EXACT_INTERVALS, mean = 1 - exp(-c), second = 2 * (1 - (1 + c) * exp(-c));
	double sum = 0, squares = 0, longest = 0, cut = 0;
	uint64_t random = 2;

	(void)state;
	for (uint32_t i = 0; i < DRAWS; i++) {
		double d = (double)sp_next_pick(next_random(&random), interval) / (double)interval;

		assert_true(d >= 0);
		sum += d;
		squares += d * d;
		longest = fmax(longest, d);
		cut += d >= c - 1e-6;
	}
	assert_near(sum / DRAWS, mean, 4 * sqrt((second - mean * mean) / DRAWS));
	assert_near(squares / DRAWS - pow(sum / DRAWS, 2), second - mean * mean, 4 * sqrt(8.0 / DRAWS));
	assert_true(longest == c);
	assert_near(cut, exp(-c) * DRAWS, 4 * sqrt(exp(-c) * DRAWS));
	assert_true(sp_next_pick(UINT64_MAX, interval) >= 0);
	assert_int_equal(sp_next_pick(0, interval), SP_EXACT_INTERVALS * interval);
}

/* An allocation is picked when the countdown is not above its size: that must happen as often as the weight believes. */
static void a_fresh_countdown_picks_with_the_probability_of_the_weight(void **state)
{
	static const uint64_t sizes[] = {1, 8, 16, 64, 1024, 5000};
	const uint64_t interval = 1024;
	uint64_t random = 3;

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		double p = sp_pick_probability(sizes[s], interval), picked = 0;

		for (uint32_t i = 0; i < DRAWS; i++)
			picked += (uint64_t)sp_next_pick(next_random(&random), interval) <= sizes[s];
		assert_near(picked / DRAWS, p, 4 * sqrt(p * (1 - p) / DRAWS));
	}
}

static void pick_probability_has_sane_edges(void **state)
{
	double before = 0;

	(void)state;
	assert_true(sp_pick_probability(0, 1024) == 0);
	assert_true(sp_pick_probability(8 * 1024, 1024) == 1);
	assert_true(sp_pick_probability(8 * 1024 - 1, 1024) < 1);
	assert_true(sp_pick_probability(UINT64_MAX, 1024) == 1);
	assert_true(sp_pick_probability(UINT64_MAX, 1ull << 40) == 1);
	assert_true(sp_pick_probability(8, 1) == 1);
	/* One byte at the widest interval the governor can reach: the subtraction eats digits, not the value. */
	assert_near(sp_pick_probability(1, 1ull << 31) * (double)(1ull << 31), 1, 1e-5);
	for (uint64_t size = 1; size < 10000; size++) {
		double p = sp_pick_probability(size, 1024);

		assert_true(p > before || (p == 1 && before == 1));
		assert_near(p, size >= 8192 ? 1 : -expm1(-(double)size / 1024), 1e-9);
		before = p;
	}
}

#define SITES 24
#define RUNS 120
#define SIM_INTERVAL 4096u

struct site {
	uint64_t size, allocations;
	double estimate, variance; /* of this run */
	double all_estimates, all_variances;
};

/* A shuffled stream in which every site is picked about a hundred times. */
static uint8_t *make_stream(struct site sites[SITES], size_t *length, uint64_t *random)
{
	uint8_t *stream;
	size_t n = 0;

	for (int i = 0; i < SITES; i++) {
		sites[i].size = (uint64_t)(16 * pow(4096, i / (SITES - 1.0)));
		sites[i].allocations = (uint64_t)(100 / sp_pick_probability(sites[i].size, SIM_INTERVAL));
		n += sites[i].allocations;
	}
	stream = malloc(n);
	assert_non_null(stream);
	n = 0;
	for (int i = 0; i < SITES; i++)
		for (uint64_t j = 0; j < sites[i].allocations; j++)
			stream[n++] = (uint8_t)i;
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = next_random(random) % (i + 1);
		uint8_t swap = stream[i];

		stream[i] = stream[j];
		stream[j] = swap;
	}
	*length = n;
	return stream;
}

static void run_stream(struct site sites[SITES], const uint8_t *stream, size_t length, uint64_t *random)
{
	int64_t countdown = sp_next_pick(next_random(random), SIM_INTERVAL);

	for (int i = 0; i < SITES; i++)
		sites[i].estimate = sites[i].variance = 0;
	for (size_t i = 0; i < length; i++) {
		struct site *s = &sites[stream[i]];
		double p, weight;

		if ((uint64_t)countdown > s->size) {
			countdown -= (int64_t)s->size;
			continue;
		}
		p = sp_pick_probability(s->size, SIM_INTERVAL);
		weight = (double)s->size / p;
		s->estimate += weight;
		s->variance += weight * weight * (1 - p);
		countdown = sp_next_pick(next_random(random), SIM_INTERVAL);
	}
}

static void the_estimator_is_unbiased_and_knows_its_error(void **state)
{
	static struct site sites[SITES];
	uint64_t random = 4;
	size_t length;
	uint8_t *stream = make_stream(sites, &length, &random);
	double covered = 0, tried = 0, total = 0, total_variance = 0, truth = 0;

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		run_stream(sites, stream, length, &random);
		for (int i = 0; i < SITES; i++) {
			struct site *s = &sites[i];
			double error = fabs(s->estimate - (double)(s->size * s->allocations));

			s->all_estimates += s->estimate;
			s->all_variances += s->variance;
			if (s->size >= SP_EXACT_INTERVALS * SIM_INTERVAL)
				assert_true(error == 0);
			if (sp_pick_probability(s->size, SIM_INTERVAL) > 0.9)
				continue; /* nearly exact: too few misses for a normal law */
			tried++;
			covered += error <= 1.96 * sqrt(s->variance);
		}
	}
	free(stream);
	for (int i = 0; i < SITES; i++) {
		double expected = (double)(sites[i].size * sites[i].allocations) * RUNS;

		assert_near(sites[i].all_estimates, expected, 3.5 * sqrt(sites[i].all_variances) + 1e-6);
		total += sites[i].all_estimates;
		total_variance += sites[i].all_variances;
		truth += expected;
	}
	assert_near(total, truth, 3 * sqrt(total_variance));
	assert_in_range((uint64_t)(covered / tried * 1000), 900, 990);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exp_is_libms),
		cmocka_unit_test(log_is_libms),
		cmocka_unit_test(picks_have_the_right_mean_variance_and_cut_off),
		cmocka_unit_test(a_fresh_countdown_picks_with_the_probability_of_the_weight),
		cmocka_unit_test(pick_probability_has_sane_edges),
		cmocka_unit_test(the_estimator_is_unbiased_and_knows_its_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
