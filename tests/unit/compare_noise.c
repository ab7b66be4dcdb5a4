/* Comparisons of runs made by hand: noise, too little evidence, and what is warned of. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/compare/noise.h"
#include "tests/unit/compare_made.h"

static void one_against_one_is_a_candidate(void **state)
{
	struct made slow = made_plain;

	(void)state;
	slow.rows[0].ms *= 1.3;
	made_compare_one(&made_plain, &slow);
	assert_true(made_result->score == 100); /* within the assumed floor */
	assert_int_equal(made_result->verdict, SP_VERDICT_UNKNOWN);
	assert_non_null(strstr(made_result->reasons.items[0], "Run 6 a side"));
	slow.rows[0].ms *= 10;
	made_compare_one(&made_plain, &slow);
	assert_int_equal(made_find("parse")->evidence, SP_EVIDENCE_CANDIDATE);
	assert_int_equal(made_result->totals[SP_METRIC_CPU].evidence, SP_EVIDENCE_CANDIDATE);
	assert_true(made_result->totals[SP_METRIC_CPU].factor < made_result->totals[SP_METRIC_CPU].ratio);
	assert_int_equal(made_result->verdict, SP_VERDICT_REGRESSION);
}

/* Python: d = statistics.NormalDist(); h = -d.inv_cdf(.005) * .15 * sqrt(2); 1.12 * exp(h); the tail 2 * (1 - d.cdf(
 * log(1.12) / (.15 * sqrt(2)))). Of the function: e = sqrt((20 / 1.959964)**2 + (26 / 1.959964)**2 + .15**2 * (400**2 +
 * 520**2)); 120 + d.inv_cdf(.975) * e. With three a side h * sqrt(1 / 3 * pi / 2), for medians (the efficiency of a median is
 * 2 / pi: Lehmann, Theory of Point Estimation, 5.3). */
static void the_noise_floor_is_what_it_says(void **state)
{
	struct made slow = made_plain;

	(void)state;
	slow.rows[0].ms *= 1.3;
	made_compare_one(&made_plain, &slow);
	assert_true(fabs(made_result->totals[SP_METRIC_CPU].high - 1.9342982431) < 1e-6);
	assert_true(fabs(made_result->totals[SP_METRIC_CPU].p - 0.5931778874) < 1e-6);
	assert_true(fabs(made_find("parse")->high / MS - 315.644287) < 1e-3);
	made_forget();
	made_add_runs(SP_BASELINE, made_plain, 3, 0);
	made_add_runs(SP_CURRENT, slow, 3, 0);
	made_compare();
	assert_true(fabs(made_result->totals[SP_METRIC_CPU].high - 1.6631542060) < 1e-6);
}

static void four_a_side_are_too_few(void **state)
{
	struct made slow = made_plain;

	(void)state;
	slow.rows[0].ms *= 1.2;
	for (size_t n = 4; n <= 6; n += 2) {
		made_forget();
		made_add_runs(SP_BASELINE, made_plain, n, 0.01);
		made_add_runs(SP_CURRENT, slow, n, 0.01);
		made_compare();
		assert_int_equal(made_result->totals[SP_METRIC_CPU].exact, n == 6);
		assert_int_equal(made_result->verdict, n == 6 ? SP_VERDICT_REGRESSION : SP_VERDICT_UNKNOWN);
	}
}

static void noise_learned_is_the_floor(void **state)
{
	struct made slow = made_plain;
	struct sp_noise *noise;
	const char *why;
	size_t line;
	char *text;

	(void)state;
	made_add_runs(SP_BASELINE, made_plain, 10, 0.02);
	noise = sp_noise_learn(made_input.profiles[0], made_input.names[0], 10);
	text = sp_noise_text(noise);
	sp_noise_free(noise);
	noise = sp_noise_parse(text, strlen(text), &why, &line);
	free(text);
	assert_non_null(noise);
	assert_int_equal(noise->runs, 10);
	assert_true(noise->metrics[SP_METRIC_CPU] > 0.005 && noise->metrics[SP_METRIC_CPU] < 0.03);
	assert_true(sp_noise_function(noise, "parse", "(program)") > 0.005);
	assert_true(sp_noise_function(noise, "nobody", "(program)") < 0);
	slow.rows[0].ms *= 1.5;
	made_compare_one(&made_plain, &slow);
	assert_true(made_result->score == 100);
	made_input.noise = noise;
	made_compare();
	assert_true(made_result->score < 100);
	assert_int_equal(made_result->totals[SP_METRIC_CPU].evidence, SP_EVIDENCE_CANDIDATE);
	sp_noise_free(noise);
}

static void damaged_noise_is_refused(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"schema\": \"smartprof-noise/2\", \"runs\": 10}",
		"{\"schema\": \"smartprof-noise/1\", \"runs\": 1}", "{\"schema\": \"smartprof-noise/1\",\n\n \"runs"};
	size_t line = 0, large = 2 << 20;
	char *text = sp_alloc(large, 1);
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(sp_noise_parse(bad[i], strlen(bad[i]), &why, &line));
	assert_int_equal(line, 3);
	memset(text, '[', large);
	assert_null(sp_noise_parse(text, large, &why, &line));
	assert_non_null(strstr(why, "larger"));
	free(text);
}

static void failed_runs_are_no_evidence(void **state)
{
	struct made other = made_plain;

	(void)state;
	other.extra = "exit: 2\n";
	made_add_runs(SP_BASELINE, made_plain, 6, 0);
	made_add_runs(SP_CURRENT, made_plain, 5, 0);
	made_add(SP_CURRENT, &other);
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_UNKNOWN);
	assert_string_equal(made_result->reasons.items[0],
		"0 of 6 baseline and 1 of 6 current runs failed (run.md: exit 2): they may not have done their work.");
	assert_int_equal(sp_compare_status(made_result), 0);
	made_input.gate.strict = true;
	assert_int_equal(sp_compare_status(made_result), 3);
	other.extra = "exit: signal 15\n"; /* as servers are ended */
	made_compare_six(&other, &other);
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
}

static void the_same_run_is_no_change(void **state)
{
	struct made one = made_plain;

	(void)state;
	one.extra = "pid: 7\nstarted: 2026-01-01T00:00:00+00:00\n";
	made_input.gate.strict = true;
	made_add(SP_BASELINE, &one);
	made_add(SP_CURRENT, &one);
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
	assert_int_equal(sp_compare_status(made_result), 0);
	assert_true(made_result->score == 100 && made_result->worst_score == 100);
}

static bool warned(const char *about)
{
	for (size_t i = 0; i < made_result->warnings.count; i++)
		if (strstr(made_result->warnings.items[i], about))
			return true;
	return false;
}

static void warnings(void **state)
{
	struct made other = made_plain, killed = made_plain;

	(void)state;
	other.extra = "environment: ci\ncpu_interval_achieved_us: 5000\nusable_cores: 1\n"
		      "cpu_samples: 50\ncpu_samples_dropped: 50\n";
	killed.extra = "environment: production\ncpu_interval_achieved_us: 100\nusable_cores: 4\n";
	made_add(SP_BASELINE, &killed);
	made_add(SP_CURRENT, &other);
	made_compare();
	assert_true(warned("environments: production and ci"));
	assert_true(warned("core limits: 4 and 1"));
	assert_true(warned("differs by more than 4 times"));
	assert_true(warned("50 % of the samples were dropped"));
	assert_false(warned("Different programs"));
	assert_false(warned("wholly before"));
	assert_false(warned("several versions")); /* one a side */
	other.extra = "build_id: aa\n";
	killed.extra = "build_id: bb\n";
	made_add(SP_BASELINE, &other);
	made_add(SP_BASELINE, &killed);
	made_compare();
	assert_true(warned("The baseline runs are of several versions of the program: builds"));
	assert_false(warned("The current runs"));
}

static void order_of_runs(void **state)
{
	struct made early = made_plain, late = made_plain;

	(void)state;
	early.extra = "started: 2026-01-01T10:00:00+00:00\n";
	late.extra = "started: 2026-01-01T11:00:00+00:00\n";
	made_add_runs(SP_BASELINE, early, 2, 0);
	made_add_runs(SP_CURRENT, late, 2, 0);
	made_compare();
	assert_true(warned("wholly before"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_set_up, made_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_against_one_is_a_candidate),
		TEST(the_noise_floor_is_what_it_says),
		TEST(four_a_side_are_too_few),
		TEST(noise_learned_is_the_floor),
		TEST(damaged_noise_is_refused),
		TEST(failed_runs_are_no_evidence),
		TEST(the_same_run_is_no_change),
		TEST(warnings),
		TEST(order_of_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
