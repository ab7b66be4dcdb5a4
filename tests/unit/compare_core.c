/* Comparisons of runs made by hand: the score's properties, totals, gates, reports. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "profiles/compare/report.h"
#include "tests/unit/compare_made.h"

static double score_with(double cpu, double peak, double allocated)
{
	struct made other = made_plain;

	for (size_t i = 0; i < 3; i++)
		other.rows[i].ms *= cpu;
	other.peak *= peak;
	other.allocated *= allocated;
	made_forget();
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, other, 6, 0.01);
	made_compare();
	return made_result->score;
}

static void identical_is_100(void **state)
{
	(void)state;
	made_add_runs(SP_BASELINE, made_plain, 6, 0);
	made_add_runs(SP_CURRENT, made_plain, 6, 0);
	made_compare();
	assert_true(made_result->score == 100);
	assert_int_equal(made_result->grade, SP_GRADE_A);
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
	made_forget();
	made_add(SP_BASELINE, &made_plain);
	made_add(SP_CURRENT, &made_plain);
	made_compare();
	assert_true(made_result->score == 100);
}

static void half_is_surely_twice(void **state)
{
	double factors[SP_GATING] = {2, 2, 2, 2}, weights[SP_GATING] = {50, 25, 15, 10};

	(void)state;
	assert_true(fabs(sp_compare_score(factors, weights, SP_GATING) - 50) < 1e-9);
	factors[0] = 0.1; /* improvements buy nothing */
	factors[1] = factors[2] = factors[3] = 1;
	assert_true(sp_compare_score(factors, weights, SP_GATING) == 100);
	factors[1] = -1; /* not compared */
	factors[2] = 4;
	assert_true(fabs(sp_compare_score(factors, weights, SP_GATING) - 100 / pow(4, 0.2)) < 1e-9);
	assert_int_equal(sp_compare_grade(90), SP_GRADE_A);
	assert_int_equal(sp_compare_grade(59.9), SP_GRADE_F);
}

static void the_score_is_monotone(void **state)
{
	double last = 101;

	(void)state;
	for (double growth = 1; growth < 3; growth *= 1.2) {
		double score = score_with(growth, 1, 1);

		assert_true(growth == 1 ? score == 100 : score < last);
		last = score;
	}
	assert_true(score_with(1, 1.5, 1) < 100);
	assert_true(score_with(1, 1.5, 1.5) < score_with(1, 1.5, 1));
	assert_true(score_with(0.5, 1.5, 1) == score_with(1, 1.5, 1));
}

static bool is_reason(const char *what)
{
	for (size_t i = 0; i < made_result->reasons.count; i++)
		if (strstr(made_result->reasons.items[i], what))
			return true;
	return false;
}

static void threads_without_work_explain_no_growth(void **state)
{
	struct made slow = made_plain, was = made_plain;
	struct sp_thread_info idle = {.name = "idle"};

	(void)state;
	was.extra = "thread_seconds: 4.000\nrun_queue_seconds: 0.100\nblocked_seconds: 2.000\n"
		    "blocked_lock_seconds: 1.000\nblocked_condition_seconds: 1.000\n";
	slow.extra = "thread_seconds: 9.000\nrun_queue_seconds: 0.100\nblocked_seconds: 7.000\n"
		     "blocked_lock_seconds: 1.900\nblocked_condition_seconds: 5.100\n";
	slow.wall_ms *= 2;
	made_add_runs(SP_BASELINE, was, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	for (int side = 0; side < SP_SIDES; side++)
		for (int i = 0; i < 6; i++) {
			struct sp_profile *p = (struct sp_profile *)(uintptr_t)made_input.profiles[side][i];

			idle.waiting.wall_ns = idle.waiting.kind_ns[SP_WAIT_CONDITION] =
				side == SP_CURRENT ? 5000000000u : 1000000000u;
			p->threads = sp_alloc(1, sizeof(*p->threads));
			p->threads[0] = idle;
			p->thread_count = 1;
		}
	made_compare();
	assert_true(is_reason("most of it, 0.9 s, in calls of the kind lock (1 s, then 1.9 s)."));
}

static void a_growth_of_waiting_names_what_is_waited_in(void **state)
{
	struct made slow = made_plain, was = made_plain;

	(void)state;
	was.extra = "thread_seconds: 4.000\nrun_queue_seconds: 0.100\nblocked_seconds: 2.000\n"
		    "blocked_lock_seconds: 1.000\nblocked_sleep_seconds: 0.900\n";
	slow.extra = "thread_seconds: 6.000\nrun_queue_seconds: 0.100\nblocked_seconds: 4.000\n"
		     "blocked_lock_seconds: 2.800\nblocked_sleep_seconds: 1.000\n";
	slow.wall_ms *= 2;
	made_add_runs(SP_BASELINE, was, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	made_compare();
	assert_int_equal(made_result->totals[SP_METRIC_BLOCKED].evidence, SP_EVIDENCE_CONFIRMED);
	assert_true(is_reason("most of it, 1.8 s, in calls of the kind lock (1 s, then 2.8 s)."));
	made_forget();
	slow.rows[0].ms *= 2; /* it was the CPU time */
	made_add_runs(SP_BASELINE, was, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	made_compare();
	assert_false(is_reason("Threads wait more"));
	made_forget(); /* profiles of before */
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	made_compare();
	assert_false(made_result->totals[SP_METRIC_BLOCKED].compared);
	assert_false(is_reason("Threads wait more"));
}

#define FACTS(blocked) \
	"thread_seconds: 9.000\nrun_queue_seconds: 0.100\nblocked_seconds: " blocked "\nblocked_lock_seconds: 1.000\n"
#define JOIN(ns) ns "\t0\t1\t1\t900\t0\tcondition\tpthread_join\tmain\t\t\t\n"

static void a_growth_of_waiting_names_its_lock(void **state)
{
	struct made was = made_plain, slow = made_plain;

	(void)state;
	was.extra = FACTS("2.000");
	was.waits = JOIN("1000000000") "100000000\t4000000\t9\t9\t900\t0\tlock\tpthread_mutex_lock\tput.part.0\tg_"
				       "lock\tfind\t\n";
	slow.extra = FACTS("6.000");
	slow.wall_ms *= 2;
	slow.waits = JOIN("2600000000") /* idle, or in join: that holds nothing up */
		"9000000000\t0\t9\t9\t900\t1\tcondition\tpthread_cond_wait\twork\tg_work\t\t\n"
		"1500000000\t490000000\t9\t9\t900\t0\tlock\tpthread_mutex_lock\tput\tg_lock\tflush_log\tpwrite\n"
		"900000000\t9000000\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	made_compare_six(&was, &slow); /* each known to 0.49 s */
	assert_true(is_reason("most of it, 1.4 s ± 0.2, waiting for g_lock in put → pthread_mutex_lock (0.1 s, then "
			      "1.5 s); its holder is mostly flush_log in pwrite."));
	slow.waits = JOIN("2600000000") /* by two callers, and another lock of which only the address is known */
		"1500000000\t20000000\t9\t9\t900\t0\tlock\tpthread_mutex_lock\tput\tg_lock\tflush_log\t\n"
		"1000000000\t20000000\t9\t9\t900\t0\tlock\tpthread_mutex_lock\tget\tg_lock\tflush_log\t\n"
		"1400000000\t20000000\t9\t9\t900\t0\tlock\tpthread_mutex_lock\tput\t0x7f1200\t\t\n";
	made_compare_six(&was, &slow);
	assert_true(
		is_reason("waiting for g_lock, mostly in put → pthread_mutex_lock (0.1 s, then 2.5 s); its holder is "
			  "mostly flush_log."));
}

/* Waits were switched off, or not recorded yet: that is not to have waited for nothing. */
static void a_side_without_waits_is_not_one_that_waited_for_nothing(void **state)
{
	struct made was = made_plain, slow = made_plain;

	(void)state;
	was.extra = "thread_seconds: 9.000\nrun_queue_seconds: 0.100\nblocked_seconds: 2.000\n";
	slow.extra = FACTS("6.000");
	slow.wall_ms *= 2;
	slow.waits = "1500000000\t20000000\t9\t9\t900\t0\tlock\tpthread_mutex_lock\tput\tg_lock\tflush_log\t\n";
	made_compare_six(&was, &slow);
	assert_false(is_reason("waiting for g_lock"));
}

static void a_growth_of_waiting_names_its_call(void **state)
{
	struct made was = made_plain, slow = made_plain;

	(void)state;
	was.extra = FACTS("2.000");
	was.waits = JOIN("1000000000") "900000000\t9000000\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	slow.extra = FACTS("6.000");
	slow.wall_ms *= 2;
	slow.waits = JOIN("5000000000") "2500000000\t90000000\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	made_compare_six(&was, &slow);
	assert_true(is_reason("most of it, 4.000 s ± 0.000, in main → pthread_join"));
	slow.waits = JOIN("2600000000") "2500000000\t90000000\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	made_compare_six(&was, &slow);
	assert_true(is_reason("1.60 s ± 0.04, in save → fsync (0.9 s, then 2.5 s)."));
	/* On a busy machine most of what grew is no call's, and the call is told, too. */
	slow.extra = "thread_seconds: 14.000\nrun_queue_seconds: 5.100\nblocked_seconds: 6.000\nblocked_lock_seconds: "
		     "1.000\n";
	made_compare_six(&was, &slow);
	assert_true(is_reason("most of it, 5 s, for a CPU (0.1 s, then 5.1 s)."));
	assert_true(is_reason("Most of what grew in calls: 1.60 s ± 0.04, in save → fsync (0.9 s, then 2.5 s)."));
	slow.extra = FACTS("6.000");
	/* Within the error, or too little of it: the kind is all that can be told. */
	slow.waits = JOIN("1000000000") "2500000000\t6000000000\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	made_compare_six(&was, &slow);
	assert_false(is_reason("fsync"));
	slow.waits = JOIN("1000000000") "1000000000\t0\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	made_compare_six(&was, &slow);
	assert_false(is_reason("fsync"));
}

static void waits_beside_a_little_more_cpu_time_are_told(void **state)
{
	struct made was = made_plain, slow = made_plain;

	(void)state;
	was.extra = FACTS("2.000");
	slow.extra = FACTS("9.000");
	slow.wall_ms *= 2;
	slow.rows[0].ms *= 1.5; /* 0.2 s of 7 */
	slow.waits = "5000000000\t0\t9\t9\t900\t0\tsync\tfsync\tsave\t\t\t\n";
	made_compare_six(&was, &slow);
	assert_int_equal(made_result->totals[SP_METRIC_CPU].evidence, SP_EVIDENCE_CONFIRMED);
	assert_true(is_reason("CPU time grew by far less: most of it, 5.000 s"));
}

static void turn_over(void)
{
	struct sp_profile **baseline = made_input.profiles[SP_BASELINE];

	made_input.profiles[SP_BASELINE] = made_input.profiles[SP_CURRENT];
	made_input.profiles[SP_CURRENT] = baseline;
}

static void swapping_sides_turns_it_over(void **state)
{
	struct made slow = made_plain;
	struct sp_total forth;

	(void)state;
	slow.rows[0].ms *= 2;
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	made_compare();
	forth = made_result->totals[SP_METRIC_CPU];
	assert_int_equal(made_find("parse")->state, SP_ROW_REGRESSION);
	assert_int_equal(made_find("parse")->evidence, SP_EVIDENCE_CONFIRMED);
	assert_int_equal(made_find("lex")->state, SP_ROW_STEADY);
	assert_true(made_result->score < 100);
	turn_over();
	made_compare();
	turn_over();
	assert_int_equal(made_find("parse")->state, SP_ROW_IMPROVEMENT);
	assert_true(made_result->score == 100);
	assert_true(fabs(made_result->totals[SP_METRIC_CPU].ratio * forth.ratio - 1) < 1e-9);
	assert_true(fabs(made_result->totals[SP_METRIC_CPU].low * forth.high - 1) < 1e-9);
}

static void renaming_and_moving_leave_the_score(void **state)
{
	struct made moved = made_plain, renamed = made_plain;

	(void)state;
	moved.rows[0].ms = 500; /* parse takes over from lex, in the same file */
	moved.rows[1].ms = 200;
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, moved, 6, 0.01);
	made_compare();
	assert_true(made_result->score == 100);
	assert_int_equal(made_find("parse")->state, SP_ROW_SHIFT);
	assert_int_equal(made_find("lex")->state, SP_ROW_SHIFT);
	made_forget();
	renamed.rows[0].name = "parse_all";
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, renamed, 6, 0.01);
	made_compare();
	assert_true(made_result->score == 100);
	assert_null(made_find("parse"));
	assert_int_equal(made_find("parse_all")->presence, SP_ROW_RENAMED);
	assert_string_equal(made_find("parse_all")->old_function, "parse");
	assert_int_equal(made_find("parse_all")->state, SP_ROW_STEADY);
}

/* How finely was sampled is no cost: samples, errors, intervals. */
static void the_interval_leaves_the_score(void **state)
{
	struct made fine = made_plain, coarse = made_plain;

	(void)state;
	fine.extra = "cpu_interval_achieved_us: 100\nheap_interval_bytes: 1024\ncpu_samples: 10000\n";
	coarse.extra = "cpu_interval_achieved_us: 4000\nheap_interval_bytes: 524288\ncpu_samples: 250\n";
	made_compare_six(&fine, &coarse);
	assert_true(made_result->score == 100);
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
	coarse.rows[0].ms *= 2;
	made_compare_six(&fine, &coarse);
	fine.extra = coarse.extra;
	assert_true(made_result->score < 100);
	double score = made_result->score;
	made_compare_six(&fine, &coarse);
	assert_true(fabs(made_result->score - score) < 1e-9);
}

static void gates(void **state)
{
	struct made slow = made_plain;

	(void)state;
	slow.rows[0].ms *= 1.5; /* CPU +20 % */
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	made_input.gate.fail_on_regression = 0.15;
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_REGRESSION);
	made_input.gate.fail_on_regression = 0.5;
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
	made_input.gate.fail_on_regression = NAN;
	made_input.gate.fail_below = 95;
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_REGRESSION);
	made_input.gate.fail_below = 50;
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
	made_input.gate.most[SP_METRIC_PEAK] = 7e6;
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_REGRESSION);
	made_input.gate.most[SP_METRIC_PEAK] = 9e6;
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
}

/* The table of docs/COMPARE.md. */
static void check_consistency(bool flags)
{
	int status = sp_compare_status(made_result);
	bool strict = made_input.gate.strict;

	switch (made_result->verdict) {
	case SP_VERDICT_PASS:
		assert_int_equal(status, 0);
		break;
	case SP_VERDICT_UNKNOWN:
		assert_int_equal(status, strict ? 3 : 0);
		break;
	default:
		assert_int_equal(status, 1);
		assert_true(made_result->grade > SP_GRADE_A);
	}
	if (made_result->verdict == SP_VERDICT_REGRESSION && sp_compare_grade(made_result->score) == SP_GRADE_A)
		assert_int_equal(made_result->grade, SP_GRADE_B);
	else
		assert_int_equal(made_result->grade, sp_compare_grade(made_result->score));
	if (!flags && made_result->verdict != SP_VERDICT_REGRESSION)
		assert_true(made_result->score == 100 && made_result->grade == SP_GRADE_A);
	if (!flags && made_result->verdict == SP_VERDICT_REGRESSION)
		assert_true(made_result->score < 100);
	assert_true(made_result->verdict == SP_VERDICT_PASS || made_result->reasons.count);
}

static void check_gates(void)
{
	static const double percent[] = {NAN, 0.05, 3}, below[] = {NAN, 89, 95};

	for (unsigned i = 0; i < 3 * 3 * 2 * 2; i++) {
		made_input.gate = (struct sp_gate){
			below[i / 3 % 3], percent[i % 3], {NAN, i / 9 % 2 ? 9e6 : NAN, NAN, NAN}, i / 18};
		made_compare();
		check_consistency(i % 18 != 0);
	}
}

/* Verdict, score, grade and exit status tell one story: over growths of every total, numbers of runs, noise, gates, and
 * runs that failed. */
static void verdict_score_grade_and_status_agree(void **state)
{
	static const double growths[] = {0.5, 0.97, 1, 1.03, 1.08, 1.12, 1.3, 2, 10};
	static const size_t counts[] = {1, 2, 6, 12};
	unsigned regressions = 0, unknown = 0;

	(void)state;
	for (unsigned i = 0; i < 9 * 4 * 4 * 2; i++) {
		double growth = growths[i % 9], noise = i / 144 ? 0.05 : 0.002;
		struct made other = made_plain;

		for (size_t k = 0; k < 3 && i / 36 % 4 != 1; k++)
			other.rows[k].ms *= growth;
		other.peak *= i / 36 % 4 ? growth : 1;
		other.wall_ms *= i / 36 % 4 == 2 ? growth : 1;
		other.extra = i / 36 % 4 == 3 ? "exit: signal 11\n" : NULL;
		made_forget();
		made_set_up(NULL);
		made_add_runs(SP_BASELINE, made_plain, counts[i / 9 % 4], noise);
		made_add_runs(SP_CURRENT, other, counts[i / 9 % 4], noise);
		check_gates();
		regressions += made_result->verdict == SP_VERDICT_REGRESSION;
		unknown += made_result->verdict == SP_VERDICT_UNKNOWN;
	}
	assert_true(regressions > 50 && unknown > 20);
}

static void what_is_missing_is_not_compared(void **state)
{
	struct made no_heap = made_plain;

	(void)state;
	no_heap.peak = -1;
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, no_heap, 6, 0.01);
	made_compare();
	assert_false(made_result->totals[SP_METRIC_PEAK].compared);
	assert_true(made_result->not_compared.count >= 2);
	assert_true(made_result->score == 100);
}

/* Whether the one small buffer of a program was sampled is chance: no growth, and no doubt about growth. */
static void small_heaps_are_all_the_same(void **state)
{
	struct made none = made_plain, sampled = made_plain;

	(void)state;
	none.peak = 0;
	sampled.peak = 18518;
	made_add_runs(SP_BASELINE, none, 3, 0);
	made_add_runs(SP_BASELINE, sampled, 3, 0);
	made_add_runs(SP_CURRENT, none, 5, 0);
	made_add_runs(SP_CURRENT, sampled, 1, 0);
	made_input.gate.fail_on_regression = 0.2;
	made_compare();
	assert_true(made_result->totals[SP_METRIC_PEAK].same);
	assert_true(made_result->totals[SP_METRIC_PEAK].current == 0);
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);

	made_forget();
	sampled.peak = 1e6;
	made_add_runs(SP_BASELINE, none, 6, 0);
	made_add_runs(SP_CURRENT, sampled, 6, 0);
	made_compare();
	assert_int_equal(made_result->verdict, SP_VERDICT_REGRESSION);
	assert_true(made_result->totals[SP_METRIC_PEAK].baseline == 0);
}

/* Sites are estimates, the total is known: what all sites have in common is the estimate's error. */
static void sites_add_up_to_the_total(void **state)
{
	struct made less = made_plain, more = made_plain;

	(void)state;
	less.site = 55e6;
	more.site = 70e6;
	made_add_runs(SP_BASELINE, less, 6, 0);
	made_add_runs(SP_CURRENT, more, 6, 0);
	made_compare();
	assert_true(fabs(made_find("store")->baseline - 60e6) < 1);
	assert_true(fabs(made_find("store")->current - 60e6) < 1);
	assert_true(made_find("large")->baseline == 4e6); /* recorded exactly */
	assert_true(made_find("large")->current == 4e6);
	assert_int_equal(made_find("store")->state, SP_ROW_STEADY);
}

static void reports(void **state)
{
	struct made slow = made_plain;
	struct sp_buffer out = {0};
	json_t *root;

	(void)state;
	slow.rows[0].ms *= 1.5;
	slow.rows[0].file = "/src/odd, name.c";
	slow.rows[2].name = "evil|`%\\x0a";
	slow.rows[2].ms = 900;
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, slow, 6, 0.01);
	made_compare();
	sp_compare_json(&out, made_result);
	root = json_loadb(out.data, out.length, 0, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "verdict")), "regression");
	assert_int_equal(json_array_size(json_object_get(root, "totals")), SP_METRICS);
	json_decref(root);
	sp_buffer_clear(&out);
	sp_compare_github(&out, made_result);
	assert_int_equal(strncmp(out.data, "::error title=smartprof compare::Regression: app", 47), 0);
	for (const char *at = out.data; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		assert_int_equal(strncmp(at, "::", 2), 0);
	assert_null(strstr(out.data, " % "));
	assert_null(strstr(out.data, "file="));
	sp_buffer_clear(&out);
	made_input.sources = "/src/";
	sp_compare_github(&out, made_result);
	assert_non_null(strstr(out.data,
		"::warning file=odd%2C name.c,line=7,title=smartprof compare::parse (program): self"));
	made_input.sources = NULL;
	sp_buffer_clear(&out);
	sp_compare_markdown(&out, made_result);
	assert_non_null(strstr(out.data, "evil\\|\\`"));
	assert_non_null(strstr(out.data, "## Regressions"));
	sp_buffer_clear(&out);
	sp_compare_text(&out, made_result);
	assert_non_null(strstr(out.data, "regressions:\n  "));
	sp_buffer_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_set_up, made_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identical_is_100),
		TEST(half_is_surely_twice),
		TEST(the_score_is_monotone),
		TEST(a_growth_of_waiting_names_what_is_waited_in),
		TEST(threads_without_work_explain_no_growth),
		TEST(a_growth_of_waiting_names_its_lock),
		TEST(a_side_without_waits_is_not_one_that_waited_for_nothing),
		TEST(a_growth_of_waiting_names_its_call),
		TEST(waits_beside_a_little_more_cpu_time_are_told),
		TEST(swapping_sides_turns_it_over),
		TEST(renaming_and_moving_leave_the_score),
		TEST(the_interval_leaves_the_score),
		TEST(gates),
		TEST(verdict_score_grade_and_status_agree),
		TEST(what_is_missing_is_not_compared),
		TEST(small_heaps_are_all_the_same),
		TEST(sites_add_up_to_the_total),
		TEST(reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
