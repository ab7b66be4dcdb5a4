/* What people are told of the last runs, and which functions are named for a change. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/history/alerts.h"
#include "profiles/history/cause.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_state = 1;

static double normal(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++) {
		random_state = random_state * 6364136223846793005u + 1442695040888963407u;
		sum += (double)(random_state >> 11) / 9007199254740992.0;
	}
	return sum;
}

static void fill(struct sp_history_value *values, size_t n, double noise)
{
	for (size_t i = 0; i < n; i++)
		values[i] = (struct sp_history_value){.value = 100 * exp(noise * normal()), .error = NAN};
}

static void multiply(struct sp_history_value *values, size_t from, size_t to, double ratio)
{
	for (size_t i = from; i < to; i++)
		values[i].value *= ratio;
}

/* One or two runs beyond are to be watched, three are an alert, more a change since a run. */
static void a_step_becomes_sure(void **state)
{
	static const struct {
		size_t worse;
		enum sp_alert_kind kind;
		bool sure;
	} cases[] = {{0, SP_ALERT_NONE, false}, {1, SP_ALERT_ONCE, false}, {2, SP_ALERT_ONCE, false},
		{3, SP_ALERT_LIMIT, true}, {4, SP_ALERT_LIMIT, true}, {5, SP_ALERT_CHANGE, true},
		{9, SP_ALERT_CHANGE, true}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sp_history_value values[40];
		size_t n = 30 + cases[i].worse;
		struct sp_alert alert;

		random_state = 7;
		fill(values, n, 0.02);
		multiply(values, 30, n, 1.4);
		alert = sp_alert_of(values, n, SP_THRESHOLD);
		assert_int_equal(alert.kind, cases[i].kind);
		assert_int_equal(alert.sure, cases[i].sure);
		if (alert.kind != SP_ALERT_NONE) {
			assert_int_equal(alert.since, 30);
			assert_true(alert.now / alert.usual > 1.3 && alert.now / alert.usual < 1.5);
		}
	}
}

/* What is below the threshold, has gone again, or became less is no alert; two steps below it, one after the other, are. */
static void what_counts(void **state)
{
	struct sp_history_value values[120];

	(void)state;
	fill(values, 60, 0.01);
	multiply(values, 40, 60, 1.15);
	assert_false(sp_alert_of(values, 60, SP_THRESHOLD).sure);
	assert_int_equal(sp_alert_of(values, 60, 0.1).kind, SP_ALERT_CHANGE);
	multiply(values, 50, 60, 1.15);
	assert_int_equal(sp_alert_of(values, 60, SP_THRESHOLD).kind, SP_ALERT_CHANGE);
	assert_in_range(sp_alert_of(values, 60, SP_THRESHOLD).since, 39, 41);
	fill(values, 60, 0.01);
	multiply(values, 30, 45, 1.5);
	assert_false(sp_alert_of(values, 60, SP_THRESHOLD).sure);
	fill(values, 60, 0.01);
	multiply(values, 30, 60, 0.5);
	assert_false(sp_alert_of(values, 60, SP_THRESHOLD).sure);
	/* Of long ago. */
	fill(values, 120, 0.01);
	multiply(values, 30, 120, 1.5);
	assert_false(sp_alert_of(values, 120, SP_THRESHOLD).sure);
	assert_int_equal(sp_alert_of(values, 0, SP_THRESHOLD).kind, SP_ALERT_NONE);
}

static void a_drift(void **state)
{
	struct sp_history_value values[40];

	(void)state;
	fill(values, 40, 0.005);
	for (size_t i = 0; i < 40; i++)
		values[i].value *= pow(1.008, (double)i);
	assert_true(sp_alert_of(values, 40, SP_THRESHOLD).sure);
}

/* What was worse by an accepted run is none, wherever acceptance says the level begins; what became worse since is. */
static void what_is_accepted(void **state)
{
	static const struct {
		size_t from, end, n;
		enum sp_alert_kind kind;
	} cases[] = {
		{0, 0, 40, SP_ALERT_CHANGE},   /* nobody did */
		{30, 40, 40, SP_ALERT_NONE},   /* the commit of the step */
		{0, 40, 40, SP_ALERT_NONE},    /* of runs whose commit nobody knows */
		{0, 35, 42, SP_ALERT_NONE},    /* more of the same followed */
		{0, 33, 33, SP_ALERT_NONE},    /* as soon as three runs told it */
		{0, 30, 40, SP_ALERT_CHANGE},  /* before it was worse */
		{30, 45, 60, SP_ALERT_CHANGE}, /* and then worse still */
		{0, 45, 60, SP_ALERT_CHANGE},
		{0, 45, 53, SP_ALERT_LIMIT},
	};
	struct sp_history_value values[60];

	(void)state;
	fill(values, 60, 0.02);
	multiply(values, 30, 60, 1.5);
	multiply(values, 50, 60, 1.4);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sp_alert_kept kept = {cases[i].from, cases[i].end, NULL};
		struct sp_alert alert = sp_alert_beside(values, cases[i].n, SP_THRESHOLD, &kept);

		if (alert.kind != cases[i].kind && (alert.sure || cases[i].kind != SP_ALERT_NONE))
			fail_msg("case %zu: %s since %zu", i, sp_alert_names[alert.kind], alert.since);
		if (alert.sure && cases[i].n > 50)
			assert_in_range(alert.since, 48, 52);
	}
}

/* The last five runs beside the baseline's, which is what tells of runs right after it was accepted. */
static void a_pinned_baseline(void **state)
{
	struct sp_history_value values[120];
	bool pinned[120] = {0};
	struct sp_alert_kept kept = {.pinned = pinned};

	(void)state;
	fill(values, 120, 0.01);
	for (size_t i = 10; i < 120; i++) /* too slow for any other alert */
		values[i].value *= pow(1.0022, (double)i - 10);
	for (size_t i = 0; i < 10; i++)
		pinned[i] = true;
	assert_false(sp_alert_of(values, 120, SP_THRESHOLD).sure);
	assert_int_equal(sp_alert_beside(values, 120, SP_THRESHOLD, &kept).kind, SP_ALERT_BASELINE);
	assert_int_equal(sp_alert_beside(values, 120, SP_THRESHOLD, &kept).since, 115);
	assert_false(sp_alert_beside(values, 120, 0.4, &kept).sure);
	assert_false(sp_alert_beside(values, 12, SP_THRESHOLD, &kept).sure);
	/* Two runs are no baseline, and those before what was accepted are none either. */
	memset(pinned + 2, 0, 8);
	assert_false(sp_alert_beside(values, 120, SP_THRESHOLD, &kept).sure);
	memset(pinned, 1, 10);
	kept.from = 90;
	kept.end = 120;
	assert_false(sp_alert_beside(values, 120, SP_THRESHOLD, &kept).sure);
}

/* 2,000 looks at noise of 2 to 15 %: a sure alert in less than one of 200. */
static void noise_is_no_alert(void **state)
{
	size_t alerts = 0;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		struct sp_history_value values[60];
		size_t n = 6 + round % 50;

		fill(values, n, round % 3 == 0 ? 0.15 : round % 3 == 1 ? 0.05 : 0.02);
		alerts += sp_alert_of(values, n, SP_THRESHOLD).sure;
	}
	print_message("%zu alerts in 2000 looks at noise\n", alerts);
	assert_true(alerts < 10);
}

/* --- causes */

static struct sp_history_run *make_run(double slower)
{
	struct sp_history_run *run = sp_history_run_make();

	sp_history_add_function(run, SP_HISTORY_CPU, "grows", "work", 100 * slower * exp(0.03 * normal()), NAN, NAN);
	sp_history_add_function(run, SP_HISTORY_CPU, "stays", "work", 300 * exp(0.05 * normal()), NAN, NAN);
	sp_history_add_function(run, SP_HISTORY_CPU, "small", "work", 0.5 * slower, NAN, NAN);
	sp_history_add_function(run, SP_HISTORY_CPU, "[smartprof]", "", 50 * slower, NAN, NAN);
	if (slower > 1)
		sp_history_add_function(run, SP_HISTORY_CPU, "new", "libnew.so", 40 * exp(0.1 * normal()), NAN, NAN);
	for (int i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof(name), "other%d", i);
		sp_history_add_function(run, SP_HISTORY_CPU, name, "work", 5 * exp(0.3 * normal()), NAN, NAN);
	}
	return run;
}

static void find(size_t before, size_t after, double slower, struct sp_cause *cause, struct sp_history_run *runs[2][20])
{
	for (size_t i = 0; i < before; i++)
		runs[0][i] = make_run(1);
	for (size_t i = 0; i < after; i++)
		runs[1][i] = make_run(slower);
	sp_cause_find(cause, runs[0], before, runs[1], after, SP_HISTORY_CPU);
}

static void drop(size_t before, size_t after, struct sp_cause *cause, struct sp_history_run *runs[2][20])
{
	sp_cause_free(cause);
	for (size_t i = 0; i < before; i++)
		sp_history_run_free(runs[0][i]);
	for (size_t i = 0; i < after; i++)
		sp_history_run_free(runs[1][i]);
}

static void functions_that_differ(void **state)
{
	struct sp_history_run *runs[2][20];
	struct sp_cause cause;

	(void)state;
	find(12, 9, 1.6, &cause, runs);
	assert_int_equal(cause.count, 2);
	assert_string_equal(cause.rows[0].function, "grows");
	assert_true(cause.rows[0].sure && cause.rows[0].q < 0.01);
	assert_true(cause.rows[0].change > 50 && cause.rows[0].change < 70);
	assert_string_equal(cause.rows[1].function, "new");
	assert_true(cause.rows[1].before == 0);
	drop(12, 9, &cause, runs);
	/* Too few to be sure; and none on a side. */
	find(3, 2, 2, &cause, runs);
	assert_string_equal(cause.rows[0].function, "grows");
	assert_false(cause.rows[0].sure);
	drop(3, 2, &cause, runs);
	find(5, 0, 2, &cause, runs);
	assert_int_equal(cause.count, 0);
	assert_int_equal(cause.runs_after, 0);
	drop(5, 0, &cause, runs);
}

static void nothing_differs(void **state)
{
	size_t named = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct sp_history_run *runs[2][20];
		struct sp_cause cause;

		find(10, 10, 1, &cause, runs);
		named += cause.count > 0;
		drop(10, 10, &cause, runs);
	}
	print_message("a function named in %zu of 200 comparisons of the same\n", named);
	assert_true(named <= 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_becomes_sure),
		cmocka_unit_test(what_counts),
		cmocka_unit_test(a_drift),
		cmocka_unit_test(what_is_accepted),
		cmocka_unit_test(a_pinned_baseline),
		cmocka_unit_test(noise_is_no_alert),
		cmocka_unit_test(functions_that_differ),
		cmocka_unit_test(nothing_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
