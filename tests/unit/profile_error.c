/* Error bars: what independent draws would give, what the order of samples changes about it, and
 * how often the interval holds the truth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/model/model.h"
#include "profiles/model/build.h"
#include "profiles/model/order.h"
#include "profiles/model/error.h"

#define FUNCTIONS 11u /* 0 is main, which calls the others */
#define SAMPLES_MAX 8192u
#define US 1000u

/* A profile as stages 1 to 3 leave it: path i is function i called by main, path 0 main alone. */
static struct {
	struct sp_profile profile;
	struct sp_snapshot snapshot;
	struct sp_profile_frame frames[FUNCTIONS];
	struct sp_path paths[FUNCTIONS];
	uint32_t frame_ids[2 * FUNCTIONS], part_of[FUNCTIONS];
	struct sp_log_entry log[SAMPLES_MAX];
	double self[FUNCTIONS], total[FUNCTIONS];
	size_t samples, log_room;
} t;

static uint64_t random_state;

static double uniform(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (double)(random_state >> 11) / 9007199254740992.0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	random_state = 12345;
	t.log_room = SAMPLES_MAX;
	t.snapshot.log = t.log;
	t.profile.snapshot = &t.snapshot;
	t.profile.frames = t.frames;
	t.profile.frame_count = FUNCTIONS;
	t.profile.paths = t.paths;
	t.profile.path_count = FUNCTIONS;
	t.profile.frame_ids = t.frame_ids;
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		t.part_of[i] = i;
		t.frame_ids[2 * i] = i;
		t.paths[i] = (struct sp_path){.first = 2 * i, .depth = i ? 2 : 1};
	}
	return 0;
}

static void sample(uint32_t function, uint64_t us)
{
	struct sp_path *path = &t.paths[function];

	path->user_ns += us * US;
	path->samples++;
	path->sq += (double)us * (double)us;
	t.profile.total_ns += us * US;
	t.samples++;
	if (t.snapshot.log_count < t.log_room)
		t.log[t.snapshot.log_count++] =
			(struct sp_log_entry){.stack = function, .weight = (uint32_t)(us * US / SP_LOG_UNIT_NS)};
}

static void finish(void)
{
	sp_paths_sort(&t.profile);
	t.profile.log = sp_log_add_up(&t.profile);
	sp_share_errors(&t.profile, t.part_of, false, t.self, FUNCTIONS);
	sp_share_errors(&t.profile, t.part_of, true, t.total, FUNCTIONS);
	sp_log_free(t.profile.log);
	free(t.profile.order);
	free(t.profile.tree);
	free(t.profile.by_place);
}

/* sqrt(p(1-p)/n) for k of n equal samples, as one sample more of the rarer kind has it. */
static double binomial(double k, double n)
{
	return 1.959964 * sqrt(k * (1 - k / n) + 1) / n;
}

static void assert_near(double a, double b, double tolerance)
{
	if (!(fabs(a - b) <= tolerance * b))
		fail_msg("%g is not within %g of %g", a, tolerance * b, b);
}

static void without_a_log_they_are_binomial(void **state)
{
	(void)state;
	t.log_room = 0;
	for (int i = 0; i < 400; i++)
		sample(i % 4 ? 2 : 1, 1000);
	finish();
	assert_near(t.self[1], binomial(100, 400), 1e-6);
	assert_near(t.self[2], binomial(100, 400), 1e-6);
	assert_true(t.self[3] == 0); /* no sample */
	assert_true(t.self[0] == 0);
	assert_near(t.total[0], binomial(0, 400), 1e-6); /* all samples: as sure as none of them elsewhere */
}

static void few_samples_are_taken_as_draws(void **state)
{
	(void)state;
	for (int i = 0; i < 4000; i++)
		sample(i % 1000 == 7 ? 1 : 2, 1000);
	finish();
	assert_near(t.self[1], binomial(4, 4000), 1e-6);
	assert_near(t.self[2], binomial(4, 4000), 1e-6);
}

static void unsampled_time_dilutes(void **state)
{
	double before;

	(void)state;
	for (int i = 0; i < 400; i++)
		sample(i % 4 ? 2 : 1, 1000);
	finish();
	before = t.self[1];
	t.profile.total_ns *= 2;
	finish();
	assert_near(t.self[1], before / 2, 1e-6);
}

static void drawn_at_random_they_are_binomial(void **state)
{
	double sum = 0;

	(void)state;
	for (int round = 0; round < 100; round++) {
		uint64_t seed = random_state;

		set_up(state);
		random_state = seed;
		for (int i = 0; i < 4000; i++)
			sample(uniform() < 0.25 ? 1 : 2, 1000);
		finish();
		sum += t.self[1] / binomial((double)t.paths[1].samples, 4000);
	}
	assert_near(sum / 100, 1.03, 0.03); /* a little more: the effect is itself an estimate */
}

static void regular_sampling_of_long_functions_is_more_precise(void **state)
{
	(void)state;
	for (int i = 0; i < 4000; i++)
		sample(1 + i / 8 % 4, 1000);
	finish();
	assert_true(t.self[1] < 0.6 * binomial(1000, 4000));
	assert_true(t.self[1] > 0.3 * binomial(1000, 4000)); /* some doubt remains */
}

/* In step with the program a whole period's samples fall into one function. */
static void samples_that_stick_together_are_less_precise(void **state)
{
	(void)state;
	for (int i = 0; i < 4000; i += 32) {
		uint32_t function = uniform() < 0.25 ? 1 : 2;

		for (int k = 0; k < 32; k++)
			sample(function, 1000);
	}
	finish();
	assert_near(t.self[1], sqrt(1.5) * binomial((double)t.paths[1].samples, 4000), 0.01);
}

static void phases_are_no_error(void **state)
{
	(void)state;
	for (int i = 0; i < 8000; i++)
		sample(i < 3400 ? 1 : 2, 1000);
	finish();
	assert_true(t.self[1] < 0.8 * binomial(3400, 8000));
}

static void a_log_that_ends_early_speaks_for_the_rest(void **state)
{
	(void)state;
	t.log_room = 4000;
	for (int i = 0; i < 8000; i++)
		sample(1 + i / 8 % 4, 1000);
	finish();
	assert_true(t.self[1] < 0.6 * binomial(2000, 8000));
	assert_true(t.self[1] > 0.3 * binomial(2000, 8000));
}

/* Blocks of 4.7 hours: their weights have no room in 32 bits. */
static void the_unit_of_time_does_not_matter(void **state)
{
	double small[FUNCTIONS];

	for (uint64_t us = 1000; us <= 100000000; us *= 100000) {
		set_up(state);
		for (uint32_t i = 0; i < SAMPLES_MAX; i++)
			sample(1 + (uint32_t)(uniform() * 4) * (i / 7 % 2), us);
		finish();
		for (uint32_t i = 0; i < FUNCTIONS; i++) {
			if (us > 1000)
				assert_near(t.total[i], small[i], 1e-7);
			small[i] = t.total[i];
		}
	}
}

static void a_stack_counts_once_however_often_it_recurses(void **state)
{
	uint32_t ids[] = {1, 0, 1, 0, 1};

	(void)state;
	t.log_room = 0;
	t.profile.frame_ids = ids;
	t.profile.path_count = 3;
	t.paths[1] = (struct sp_path){.first = 0, .depth = 5};
	t.paths[2] = (struct sp_path){.first = 1, .depth = 1};
	for (int i = 0; i < 400; i++)
		sample(i % 5 ? 2 : 1, 1000);
	finish();
	assert_near(t.total[1], binomial(80, 400), 1e-6);
}

/* tests/targets/cpu_truth under the event clock at `interval_us`; returns how many of the ten true shares lie in
 * their intervals. */
static int truth_covered(double interval_us, double run_us)
{
	const double cycle_us = 990;
	double now = uniform() * cycle_us, end = now + run_us, period = 0;
	uint32_t held = 0;
	int covered = 0;

	while (now < end) {
		double at;
		uint32_t function = 1;

		if (held-- == 0) {
			period = floor(interval_us * (0.75 + uniform() / 2));
			held = SP_PERIOD_SAMPLES - 1;
		}
		now += period;
		for (at = fmod(now, cycle_us) / 18; at > function; function++)
			at -= function;
		sample(function < FUNCTIONS ? function : FUNCTIONS - 1, (uint64_t)period);
	}
	finish();
	for (uint32_t i = 1; i < FUNCTIONS; i++) {
		double share = (double)t.paths[i].user_ns / (double)t.profile.total_ns;

		covered += fabs(share - i / 55.0) <= t.self[i];
	}
	return covered;
}

static void the_truth_lies_inside_19_times_of_20(void **state)
{
	static const struct {
		double interval_us, run_us;
	} runs[] = {{320, 2e6}, {360, 2e6}, {1000, 2e6}, {4000, 8e6}, {360, 3e5}};

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		int covered = 0;

		for (int round = 0; round < 200; round++) {
			uint64_t seed = random_state;

			set_up(state);
			random_state = seed;
			covered += truth_covered(runs[i].interval_us, runs[i].run_us);
		}
		print_message("%.0f us for %.1f s: %.1f %%\n", runs[i].interval_us, runs[i].run_us / 1e6,
			covered / 20.0);
		assert_in_range(covered, 1860, 1960);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_log_they_are_binomial),
		TEST(few_samples_are_taken_as_draws),
		TEST(unsampled_time_dilutes),
		TEST(drawn_at_random_they_are_binomial),
		TEST(regular_sampling_of_long_functions_is_more_precise),
		TEST(samples_that_stick_together_are_less_precise),
		TEST(phases_are_no_error),
		TEST(a_log_that_ends_early_speaks_for_the_rest),
		TEST(the_unit_of_time_does_not_matter),
		TEST(a_stack_counts_once_however_often_it_recurses),
		TEST(the_truth_lies_inside_19_times_of_20),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
