/* When a guardian acts: thresholds, windows, hysteresis, limits, forecasts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/guard/rules.h"

#define MB 1000000ull
#define SECOND 1000000000ull
#define WARNING (1u << SP_GUARD_WARNING)
#define CRITICAL (1u << SP_GUARD_CRITICAL)
#define PROFILING (1u << SP_GUARD_PROFILING)
#define CPU (1u << SP_GUARD_CPU)

static struct sp_guard_rules rules;
static uint64_t now_ns;

static int begin(void **state)
{
	(void)state;
	rules = (struct sp_guard_rules){.window_ns = 5 * SECOND};
	rules.rule[SP_GUARD_WARNING].threshold = 512 * MB;
	rules.rule[SP_GUARD_CRITICAL].threshold = 1024 * MB;
	rules.rule[SP_GUARD_PROFILING].threshold = 2048 * MB;
	now_ns = SECOND;
	return 0;
}

/* A look a second later, and what it makes fire. */
static unsigned look(uint64_t megabytes)
{
	now_ns += SECOND;
	return sp_guard_rules_look(&rules, now_ns, megabytes * MB, SP_GUARD_UNKNOWN);
}

/* So for all of a window. */
static unsigned stay(uint64_t megabytes)
{
	for (int i = 0; i < 5; i++)
		assert_int_equal(look(megabytes), 0);
	return look(megabytes);
}

static unsigned stay_and_fire(uint64_t megabytes)
{
	unsigned due = stay(megabytes);

	sp_guard_rules_fired(&rules, due, megabytes * MB, SP_GUARD_UNKNOWN);
	return due;
}

static void a_whole_window_must_be_above(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(look(i % 5 ? 600 : 511), 0);
	assert_int_equal(look(511), 0);
	assert_int_equal(stay(512), WARNING);
}

static void not_again_until_it_fell_below_nine_tenths(void **state)
{
	(void)state;
	assert_int_equal(stay_and_fire(520), WARNING);
	assert_int_equal(stay(520), 0);
	assert_int_equal(stay(470), 0); /* 461 is 90 % */
	assert_int_equal(stay(520), 0);
	assert_int_equal(look(460), 0);
	assert_int_equal(stay(520), WARNING);
}

static void again_when_it_grew_by_a_quarter(void **state)
{
	(void)state;
	assert_int_equal(stay_and_fire(520), WARNING);
	assert_int_equal(stay(649), 0);
	assert_int_equal(stay(650), WARNING);
}

static void growth_beside_the_next_threshold_is_its_own(void **state)
{
	(void)state;
	assert_int_equal(stay_and_fire(800), WARNING);
	assert_int_equal(stay(1010), 0); /* a quarter more, yet critical is near */
	assert_int_equal(stay_and_fire(1030), CRITICAL);
	assert_int_equal(stay(1280), 0);
	assert_int_equal(stay_and_fire(1300), CRITICAL);
	assert_int_equal(look(900), 0);
	assert_int_equal(stay_and_fire(1030), CRITICAL); /* the warning was not armed again at 900 */
}

static void a_jump_crosses_all(void **state)
{
	(void)state;
	assert_int_equal(stay_and_fire(3000), WARNING | CRITICAL | PROFILING);
	assert_int_equal(stay(3700), 0);
	assert_int_equal(stay(3750), PROFILING);
}

static void what_is_not_confirmed_begins_anew(void **state)
{
	(void)state;
	assert_int_equal(stay(512), WARNING);
	sp_guard_rules_not(&rules, WARNING);
	assert_int_equal(rules.rule[SP_GUARD_WARNING].unconfirmed, 1);
	assert_int_equal(stay(512), WARNING);
}

static void a_guardian_that_slept_has_seen_no_window(void **state)
{
	(void)state;
	assert_int_equal(look(600), 0);
	now_ns += 3600 * SECOND;
	assert_int_equal(stay(600), WARNING);
	sp_guard_rules_not(&rules, WARNING);
	for (int i = 0; i < 5; i++) /* late is not asleep */
		assert_int_equal(sp_guard_rules_look(&rules, now_ns += i ? SECOND : 5 * SECOND, 600 * MB, 0), 0);
	assert_int_equal(look(600), WARNING);
}

static void what_is_not_known_is_no_look(void **state)
{
	(void)state;
	rules.rule[SP_GUARD_CPU].threshold = 700;
	for (int i = 0; i < 5; i++)
		assert_int_equal(sp_guard_rules_look(&rules, now_ns += SECOND, 1, 800), 0);
	assert_int_equal(sp_guard_rules_look(&rules, now_ns += SECOND / 2, 1, SP_GUARD_UNKNOWN), 0);
	assert_int_equal(sp_guard_rules_look(&rules, now_ns += SECOND / 2, 1, 800), CPU);
}

static void a_sequence_has_five_captures_and_keeps_room(void **state)
{
	(void)state;
	assert_int_equal(stay_and_fire(512), WARNING);
	assert_true(sp_guard_may_capture(&rules, SP_GUARD_WARNING, false, now_ns));
	assert_int_equal(stay_and_fire(640), WARNING);
	assert_true(sp_guard_may_capture(&rules, SP_GUARD_WARNING, true, now_ns));
	assert_int_equal(stay_and_fire(800), WARNING);
	assert_true(sp_guard_may_capture(&rules, SP_GUARD_WARNING, true, now_ns));
	assert_int_equal(stay_and_fire(1024), CRITICAL);
	assert_true(sp_guard_may_capture(&rules, SP_GUARD_CRITICAL, false, now_ns));
	assert_int_equal(stay_and_fire(1280), CRITICAL);
	assert_false(sp_guard_may_capture(&rules, SP_GUARD_CRITICAL, true, now_ns));
	assert_int_equal(stay_and_fire(2048), PROFILING);
	assert_true(sp_guard_may_capture(&rules, SP_GUARD_PROFILING, false, now_ns));
	assert_int_equal(stay_and_fire(2560), PROFILING);
	assert_false(sp_guard_may_capture(&rules, SP_GUARD_PROFILING, true, now_ns));
	assert_int_equal(rules.memory.captures, 5);
	assert_int_equal(rules.memory.suppressed, 2);
}

/* One that goes up and down gets no more than one that only goes up, but for a new sequence each hour. */
static void a_sequence_lasts_an_hour_at_the_least(void **state)
{
	unsigned captures = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(look(100), 0);
		assert_int_equal(stay_and_fire(600), WARNING);
		captures += sp_guard_may_capture(&rules, SP_GUARD_WARNING, false, now_ns);
	}
	assert_int_equal(captures, 5);
	now_ns += SP_GUARD_SEQUENCE_NS;
	assert_int_equal(stay(600), 0);
	assert_int_equal(look(100), 0);
	assert_int_equal(stay_and_fire(600), WARNING);
	assert_true(sp_guard_may_capture(&rules, SP_GUARD_WARNING, false, now_ns));
	assert_int_equal(rules.memory.captures, 1);
}

static void it_looks_more_often_where_it_may_soon_be_above(void **state)
{
	(void)state;
	assert_int_equal(sp_guard_pause_ns(&rules, 600 * MB), SECOND / 10);
	assert_int_equal(sp_guard_pause_ns(&rules, 510 * MB), SECOND / 10);
	rules.rule[SP_GUARD_WARNING].threshold = 20000 * MB;
	rules.rule[SP_GUARD_CRITICAL].threshold = rules.rule[SP_GUARD_PROFILING].threshold = 0;
	assert_int_equal(sp_guard_pause_ns(&rules, 4000 * MB), 2 * SECOND);
	rules.rule[SP_GUARD_WARNING].threshold = 200000 * MB;
	assert_int_equal(sp_guard_pause_ns(&rules, 0), 5 * SECOND);
	rules.rule[SP_GUARD_CPU].threshold = 700;
	assert_int_equal(sp_guard_pause_ns(&rules, 0), SECOND);
	rules.window_ns = SECOND / 10;
	assert_int_equal(sp_guard_pause_ns(&rules, 0), SECOND / 50);
}

static void the_next_threshold(void **state)
{
	(void)state;
	assert_int_equal(sp_guard_next_rule(&rules, 0), SP_GUARD_WARNING);
	assert_int_equal(sp_guard_next_rule(&rules, 1024 * MB), SP_GUARD_PROFILING);
	assert_int_equal(sp_guard_next_rule(&rules, 4096 * MB), SP_GUARD_RULES);
}

/* --- trends */

static double uniform(void)
{
	static uint32_t seed = 12345;

	seed = seed * 1664525u + 1013904223u;
	return (double)(seed >> 8) / (1 << 24);
}

static struct sp_guard_point points[SP_GUARD_TREND_POINTS];

static void fill(double slope, double noise)
{
	for (size_t i = 0; i < SP_GUARD_TREND_POINTS; i++)
		points[i] = (struct sp_guard_point){.t_ns = i * SECOND,
			.memory = (uint64_t)(500e6 + slope * (double)i + noise * (uniform() - 0.5))};
}

static void a_trend_is_the_median_of_slopes(void **state)
{
	struct sp_guard_trend trend;
	double sooner, later;

	(void)state;
	fill(2e6, 0);
	points[10].memory = 3000 * MB; /* one that is out of line does not matter */
	assert_true(sp_guard_trend(&trend, points, SP_GUARD_TREND_POINTS));
	assert_true(fabs(trend.slope - 2e6) < 10);
	assert_true(sp_guard_forecast(&trend, 800 * MB, 1000 * MB, &sooner, &later));
	assert_true(fabs(sooner - 100) < 1 && fabs(later - 100) < 1);
	assert_false(sp_guard_trend(&trend, points, 7));
	assert_false(sp_guard_forecast(&trend, 1000 * MB, 1000 * MB, &sooner, &later));
}

/* Where points do not depend on each other, the range has the true slope in 95 of 100. */
static void a_trends_range_holds(void **state)
{
	int inside = 0;

	(void)state;
	for (int i = 0; i < 400; i++) {
		struct sp_guard_trend trend;

		fill(1e6, 50e6);
		assert_true(sp_guard_trend(&trend, points, SP_GUARD_TREND_POINTS));
		inside += trend.low <= 1e6 && 1e6 <= trend.high;
	}
	assert_in_range(inside, 364, 395);
}

static void no_growth_is_no_forecast(void **state)
{
	struct sp_guard_trend trend;
	double sooner, later;

	(void)state;
	fill(0, 10e6);
	assert_true(sp_guard_trend(&trend, points, SP_GUARD_TREND_POINTS));
	trend.slope = trend.high; /* as if it had come out so */
	assert_true(sp_guard_forecast(&trend, 500 * MB, 1000 * MB, &sooner, &later));
	assert_true(isinf(later));
	fill(-1e6, 0);
	assert_true(sp_guard_trend(&trend, points, SP_GUARD_TREND_POINTS));
	assert_false(sp_guard_forecast(&trend, 500 * MB, 1000 * MB, &sooner, &later));
}

static void a_timeline_keeps_its_highest_points(void **state)
{
	static struct sp_guard_timeline t;
	uint64_t most = 0;

	(void)state;
	t = (struct sp_guard_timeline){.period_ns = SECOND};
	for (uint64_t i = 0; i < 5000; i++)
		sp_guard_timeline_add(&t,
			&(struct sp_guard_point){.t_ns = i * SECOND / 2, .memory = i == 777 ? 900 * MB : i, .rss = i});
	assert_in_range(t.count, SP_GUARD_POINTS / 4, SP_GUARD_POINTS);
	for (size_t i = 0; i < t.count; i++)
		most = t.points[i].memory > most ? t.points[i].memory : most;
	assert_int_equal(most, 900 * MB);
	assert_in_range(t.points[t.count - 1].t_ns, 2400 * SECOND, 2500 * SECOND);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_window_must_be_above),
		TEST(not_again_until_it_fell_below_nine_tenths),
		TEST(again_when_it_grew_by_a_quarter),
		TEST(growth_beside_the_next_threshold_is_its_own),
		TEST(a_jump_crosses_all),
		TEST(what_is_not_confirmed_begins_anew),
		TEST(a_guardian_that_slept_has_seen_no_window),
		TEST(what_is_not_known_is_no_look),
		TEST(a_sequence_has_five_captures_and_keeps_room),
		TEST(a_sequence_lasts_an_hour_at_the_least),
		TEST(it_looks_more_often_where_it_may_soon_be_above),
		TEST(the_next_threshold),
		TEST(a_trend_is_the_median_of_slopes),
		TEST(a_trends_range_holds),
		TEST(no_growth_is_no_forecast),
		TEST(a_timeline_keeps_its_highest_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
