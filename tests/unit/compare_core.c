/* Comparisons of profiles made by hand: the score's properties, matching, gates. */
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

#include "profiles/compare/compare.h"
#include "profiles/markdown/markdown.h"
#include "profiles/base/normal_name.h"
#include "profiles/compare/noise.h"
#include "profiles/compare/report.h"

#define RUNS_MAX 12
#define ROWS_MAX 8
#define MS 1000000.0

struct made_row {
	const char *name, *file;
	double ms;
};

/* A run: cost of its functions, and its heap. */
struct made {
	struct made_row rows[ROWS_MAX];
	double wall_ms, peak, allocated; /* negative: no heap profile */
	const char *extra;               /* more front matter */
	int caller[ROWS_MAX];            /* of the row: 1 + another's index, 0 none; all 0: no stacks */
	double site;                     /* what sampling made of `allocated` but 4 MB, at one site; 0: no sites */
};

static struct sp_profile *profiles[SP_SIDES][RUNS_MAX];
static const char *names[SP_SIDES][RUNS_MAX];
static struct sp_comparison_input input;
static struct sp_comparison *result;

static int set_up(void **state)
{
	(void)state;
	input = (struct sp_comparison_input){
		.weights = {50, 25, 15, 10}, .gate = {NAN, NAN, {NAN, NAN, NAN, NAN}, false}};
	for (int side = 0; side < SP_SIDES; side++) {
		input.profiles[side] = profiles[side];
		input.names[side] = names[side];
	}
	return 0;
}

static void forget(void)
{
	sp_comparison_free(result);
	result = NULL;
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < input.count[side]; i++)
			sp_profile_free(profiles[side][i]);
	input.count[0] = input.count[1] = 0;
}

static int tear_down(void **state)
{
	(void)state;
	forget();
	return 0;
}

/* Every row's self time is one stack, up its callers. */
static void put_stacks(struct sp_buffer *out, const struct made *made, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any = any || made->caller[i];
	if (!any)
		return;
	sp_buffer_printf(out, "## All frames (%zu)\n\n```tsv\nhead\n", n);
	for (size_t i = 0; i < n; i++)
		sp_buffer_printf(out, "0\t1\t0\t%s\t/bin/app\t\n", made->rows[i].name);
	sp_buffer_printf(out, "```\n\n## All CPU stacks (%zu)\n\n```tsv\nhead\n", n);
	for (size_t i = 0; i < n; i++) {
		char chain[100] = "", longer[100];

		for (int at = (int)i + 1; at; at = made->caller[at - 1]) {
			snprintf(longer, sizeof(longer), "%d%s%.80s", at - 1, *chain ? " " : "", chain);
			strcpy(chain, longer);
		}
		sp_buffer_printf(out, "%.0f\t0\t10\t0\t%s\n", made->rows[i].ms * MS, chain);
	}
	sp_buffer_puts(out, "```\n\n");
}

static void put_run(struct sp_buffer *out, const struct made *made)
{
	double cpu = 0;
	size_t n = 0;

	for (; n < ROWS_MAX && made->rows[n].name; n++)
		cpu += made->rows[n].ms;
	sp_buffer_printf(out,
		"---\nschema: smartprof/1\nprogram: app\n%scpu_user_seconds: %.6f\ncpu_system_seconds: 0\n"
		"wall_seconds: %.6f\n%s",
		made->extra && strstr(made->extra, "exit: ") ? "" : "exit: 0\n", cpu / 1e3, made->wall_ms / 1e3,
		made->extra ? made->extra : "");
	if (made->peak >= 0)
		sp_buffer_printf(out, "heap_peak_bytes: %.0f\nheap_allocated_bytes: %.0f\n", made->peak,
			made->allocated);
	sp_buffer_printf(out, "---\n\n<details>\n\n## All functions (%zu)\n\n```tsv\nhead\n", n);
	for (size_t i = 0; i < n; i++)
		sp_buffer_printf(out, "%.0f\t0\t%.0f\t0\t100\t100\t%.0f\t0\t%s\t/bin/app\t%s\t%d\n",
			made->rows[i].ms * MS, made->rows[i].ms * MS, made->rows[i].ms * MS / 20, made->rows[i].name,
			made->rows[i].file ? made->rows[i].file : "", made->rows[i].file ? 7 : 0);
	sp_buffer_puts(out, "```\n\n");
	put_stacks(out, made, n);
	if (made->site > 0)
		sp_buffer_printf(out,
			"## All heap sites "
			"(2)\n\n```tsv\nhead\n%.0f\t9\t0\t0\t0\t0\t0\t0\t9\t0\t%.0f\t0\t0\t0\t0\tstore\t/bin/app"
			"\t\t0\n4000000\t1\t0\t0\t0\t0\t0\t0\t1\t0\t0\t0\t0\t0\t0\tlarge\t/bin/app\t\t0\n```\n\n",
			made->site, made->site * 1e5);
	sp_buffer_puts(out, "</details>\n");
}

static void add_run(enum sp_side side, const struct made *made)
{
	struct sp_buffer text = {0};
	const char *why = "";

	put_run(&text, made);
	profiles[side][input.count[side]] = sp_markdown_read(text.data, text.length, &why);
	assert_non_null(profiles[side][input.count[side]]);
	names[side][input.count[side]++] = "run.md";
	sp_buffer_free(&text);
}

/* n runs like this one, a little noise on each: up to `noise` either way. */
static void add_runs(enum sp_side side, struct made made, size_t n, double noise)
{
	for (size_t i = 0; i < n; i++) {
		struct made one = made;
		double factor = 1 + noise * (2.0 * (double)((i * 7 + (size_t)side * 3) % 11) / 10 - 1);

		for (size_t k = 0; k < ROWS_MAX; k++)
			one.rows[k].ms *= factor;
		one.wall_ms *= factor;
		add_run(side, &one);
	}
}

static void compare(void)
{
	sp_comparison_free(result);
	result = sp_compare(&input);
}

static const struct made plain = {
	{{"parse", "a.c", 400}, {"lex", "a.c", 300}, {"main", "b.c", 300}}, 1100, 8e6, 64e6, NULL, {0}, 0};

static const struct sp_row *row(const char *name)
{
	for (size_t i = 0; i < result->row_count; i++)
		if (!result->rows[i].gone && strcmp(result->rows[i].function, name) == 0)
			return &result->rows[i];
	return NULL;
}

static double score_with(double cpu, double peak, double allocated)
{
	struct made other = plain;

	for (size_t i = 0; i < 3; i++)
		other.rows[i].ms *= cpu;
	other.peak *= peak;
	other.allocated *= allocated;
	forget();
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, other, 6, 0.01);
	compare();
	return result->score;
}

static void identical_is_100(void **state)
{
	(void)state;
	add_runs(SP_BASELINE, plain, 6, 0);
	add_runs(SP_CURRENT, plain, 6, 0);
	compare();
	assert_true(result->score == 100);
	assert_int_equal(result->grade, SP_GRADE_A);
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
	forget();
	add_run(SP_BASELINE, &plain);
	add_run(SP_CURRENT, &plain);
	compare();
	assert_true(result->score == 100);
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

static void swapping_sides_turns_it_over(void **state)
{
	struct made slow = plain;
	struct sp_total forth;

	(void)state;
	slow.rows[0].ms *= 2;
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, slow, 6, 0.01);
	compare();
	forth = result->totals[SP_METRIC_CPU];
	assert_int_equal(row("parse")->state, SP_ROW_REGRESSION);
	assert_int_equal(row("parse")->evidence, SP_EVIDENCE_CONFIRMED);
	assert_int_equal(row("lex")->state, SP_ROW_STEADY);
	assert_true(result->score < 100);
	input.profiles[0] = profiles[1];
	input.profiles[1] = profiles[0];
	compare();
	input.profiles[0] = profiles[0];
	input.profiles[1] = profiles[1];
	assert_int_equal(row("parse")->state, SP_ROW_IMPROVEMENT);
	assert_true(result->score == 100);
	assert_true(fabs(result->totals[SP_METRIC_CPU].ratio * forth.ratio - 1) < 1e-9);
	assert_true(fabs(result->totals[SP_METRIC_CPU].low * forth.high - 1) < 1e-9);
}

static void renaming_and_moving_leave_the_score(void **state)
{
	struct made moved = plain, renamed = plain;

	(void)state;
	moved.rows[0].ms = 500; /* parse takes over from lex, in the same file */
	moved.rows[1].ms = 200;
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, moved, 6, 0.01);
	compare();
	assert_true(result->score == 100);
	assert_int_equal(row("parse")->state, SP_ROW_SHIFT);
	assert_int_equal(row("lex")->state, SP_ROW_SHIFT);
	forget();
	renamed.rows[0].name = "parse_all";
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, renamed, 6, 0.01);
	compare();
	assert_true(result->score == 100);
	assert_null(row("parse"));
	assert_int_equal(row("parse_all")->presence, SP_ROW_RENAMED);
	assert_string_equal(row("parse_all")->old_function, "parse");
	assert_int_equal(row("parse_all")->state, SP_ROW_STEADY);
}

static void a_rise_elsewhere_is_no_shift(void **state)
{
	struct made moved = plain;
	struct sp_buffer text = {0};

	(void)state;
	moved.rows[0].ms = 500; /* a.c */
	moved.rows[2].ms = 200; /* b.c */
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, moved, 6, 0.01);
	compare();
	assert_int_equal(row("parse")->state, SP_ROW_REGRESSION);
	assert_int_equal(row("main")->state, SP_ROW_IMPROVEMENT);
	assert_true(result->score == 100);
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
	sp_compare_verdict_text(&text, result);
	assert_non_null(strstr(text.data,
		"No total is sure to have grown, but parse (program) costs more, confirmed: "));
	sp_buffer_free(&text);
}

/* main calls work and idle; work calls parse and lex; parse calls copy. */
static const struct made called = {{{"main", "a.c", 20}, {"work", "b.c", 100}, {"idle", "c.c", 300},
					   {"parse", "d.c", 200}, {"lex", "e.c", 200}, {"copy", "f.c", 200}},
	1100, 8e6, 64e6, NULL, {0, 1, 1, 2, 2, 4}, 0};

static void compare_made(const struct made *old, const struct made *new)
{
	forget();
	add_runs(SP_BASELINE, *old, 6, 0.01);
	add_runs(SP_CURRENT, *new, 6, 0.01);
	compare();
}

static void callers_and_callees_tell_renames(void **state)
{
	struct made other = called;

	(void)state;
	other.rows[3] = (struct made_row){"parse_all", "elsewhere.c", 300}; /* dearer, in another file */
	compare_made(&called, &other);
	assert_int_equal(row("parse_all")->presence, SP_ROW_RENAMED);
	assert_string_equal(row("parse_all")->old_function, "parse");
	assert_int_equal(row("parse_all")->state, SP_ROW_REGRESSION);
	assert_null(row("parse"));

	other = called;
	other.rows[3].name = "parse_all"; /* a chain of renamed functions */
	other.rows[5].name = "copy_all";
	compare_made(&called, &other);
	assert_string_equal(row("parse_all")->old_function, "parse");
	assert_string_equal(row("copy_all")->old_function, "copy");

	other = called;
	other.rows[3] = (struct made_row){"scan", "d.c", 200};
	other.caller[3] = 3; /* the same cost in the same file, but idle calls it */
	compare_made(&called, &other);
	assert_int_equal(row("scan")->presence, SP_ROW_APPEARED);
	assert_int_equal(row("parse")->presence, SP_ROW_DISAPPEARED);

	other = called;
	other.rows[4] = (struct made_row){"tokens", "e.c", 200};
	other.caller[5] = 5; /* the same cost and caller, but it calls copy now, which lex did not */
	compare_made(&called, &other);
	assert_int_equal(row("tokens")->presence, SP_ROW_APPEARED);
}

/* main runs three lambdas, the second of which calls mix. */
static const struct made lambdas = {
	{{"main", "a.c", 20}, {"f()::{lambda(int)#1}::operator()(int) const", "a.c", 200},
		{"f()::{lambda(int)#2}::operator()(int) const", "a.c", 100},
		{"f()::{lambda(int)#3}::operator()(int) const", "a.c", 400}, {"mix", "a.c", 300}},
	1100, 8e6, 64e6, NULL, {0, 1, 1, 1, 3}, 0};

static void lambdas_are_matched_in_order(void **state)
{
	struct made other = lambdas;

	(void)state;
	/* One more in front, next to nothing of cost; mix has another name; the last one grew. */
	other.rows[5] = (struct made_row){"f()::{lambda(int)#4}::operator()(int) const", "a.c", 520};
	other.caller[5] = 1;
	other.rows[3].ms = 100;
	other.rows[2].ms = 200;
	other.rows[1].ms = 1;
	other.rows[4].name = "blend";
	other.caller[4] = 4;
	compare_made(&lambdas, &other);
	assert_string_equal(row(other.rows[2].name)->old_function, lambdas.rows[1].name);
	assert_string_equal(row(other.rows[3].name)->old_function, lambdas.rows[2].name);
	assert_string_equal(row(other.rows[5].name)->old_function, lambdas.rows[3].name);
	assert_int_equal(row(other.rows[2].name)->state, SP_ROW_STEADY);
	assert_int_equal(row(other.rows[5].name)->state, SP_ROW_REGRESSION);
	assert_string_equal(row("blend")->old_function, "mix");
	assert_int_equal(row("blend")->state, SP_ROW_STEADY);
	compare_made(&other, &lambdas); /* and one taken away */
	assert_string_equal(row(lambdas.rows[3].name)->old_function, other.rows[5].name);
	assert_int_equal(row(lambdas.rows[1].name)->state, SP_ROW_STEADY);
	memset(other.caller, 0, sizeof(other.caller)); /* profiles without stacks */
	compare_made(&lambdas, &other);
	assert_int_equal(row(other.rows[2].name)->state, SP_ROW_STEADY);
}

static void numbers_stay_where_nothing_came_or_went(void **state)
{
	struct made other = lambdas;

	(void)state;
	for (size_t i = 1; i < 4; i++) /* as dear as the next one was */
		other.rows[i].ms *= 2;
	compare_made(&lambdas, &other);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(row(other.rows[i].name)->presence, SP_ROW_BOTH);
		assert_int_equal(row(other.rows[i].name)->state, SP_ROW_REGRESSION);
	}
}

static void cost_shifts_within_the_callers_subtree(void **state)
{
	struct made other = called;

	(void)state;
	other.rows[4].ms = 290; /* lex takes over from copy, below work */
	other.rows[5].ms = 110;
	compare_made(&called, &other);
	assert_int_equal(row("lex")->state, SP_ROW_SHIFT);
	assert_int_equal(row("copy")->state, SP_ROW_SHIFT);
	assert_string_equal(row("lex")->within, "work");
	assert_true(result->score == 100);

	other = called;
	other.rows[3].ms = 290; /* parse does what it called copy for */
	other.rows[5].ms = 110;
	compare_made(&called, &other);
	assert_string_equal(row("parse")->within, "parse");

	other = called;
	other.rows[5].ms = 290; /* copy grows, what is not below its caller falls */
	other.rows[2].ms = 210;
	compare_made(&called, &other);
	assert_int_equal(row("copy")->state, SP_ROW_REGRESSION);
	assert_int_equal(row("idle")->state, SP_ROW_IMPROVEMENT);

	other = called;
	other.rows[4].ms = 260; /* a fall that is larger than the rise stays a gain */
	other.rows[5].ms = 40;
	compare_made(&called, &other);
	assert_int_equal(row("lex")->state, SP_ROW_SHIFT);
	assert_int_equal(row("copy")->state, SP_ROW_IMPROVEMENT);
}

/* How finely was sampled is no cost: samples, errors, intervals. */
static void the_interval_leaves_the_score(void **state)
{
	struct made fine = plain, coarse = plain;

	(void)state;
	fine.extra = "cpu_interval_achieved_us: 100\nheap_interval_bytes: 1024\ncpu_samples: 10000\n";
	coarse.extra = "cpu_interval_achieved_us: 4000\nheap_interval_bytes: 524288\ncpu_samples: 250\n";
	compare_made(&fine, &coarse);
	assert_true(result->score == 100);
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
	coarse.rows[0].ms *= 2;
	compare_made(&fine, &coarse);
	fine.extra = coarse.extra;
	assert_true(result->score < 100);
	double score = result->score;
	compare_made(&fine, &coarse);
	assert_true(fabs(result->score - score) < 1e-9);
}

static void compare_one(const struct made *old, const struct made *new)
{
	forget();
	add_run(SP_BASELINE, old);
	add_run(SP_CURRENT, new);
	compare();
}

static void one_against_one_is_a_candidate(void **state)
{
	struct made slow = plain;

	(void)state;
	slow.rows[0].ms *= 1.3;
	compare_one(&plain, &slow);
	assert_true(result->score == 100); /* within the assumed floor */
	assert_int_equal(result->verdict, SP_VERDICT_UNKNOWN);
	assert_non_null(strstr(result->reasons.items[0], "Run 6 a side"));
	slow.rows[0].ms *= 10;
	compare_one(&plain, &slow);
	assert_int_equal(row("parse")->evidence, SP_EVIDENCE_CANDIDATE);
	assert_int_equal(result->totals[SP_METRIC_CPU].evidence, SP_EVIDENCE_CANDIDATE);
	assert_true(result->totals[SP_METRIC_CPU].factor < result->totals[SP_METRIC_CPU].ratio);
	assert_int_equal(result->verdict, SP_VERDICT_REGRESSION);
}

/* Python: d = statistics.NormalDist(); h = -d.inv_cdf(.005) * .15 * sqrt(2); 1.12 * exp(h); the tail 2 * (1 - d.cdf(
 * log(1.12) / (.15 * sqrt(2)))). Of the function: e = sqrt((20 / 1.959964)**2 + (26 / 1.959964)**2 + .15**2 * (400**2 +
 * 520**2)); 120 + d.inv_cdf(.975) * e. With three a side h * sqrt(1 / 3 * pi / 2), for medians (the efficiency of a median is
 * 2 / pi: Lehmann, Theory of Point Estimation, 5.3). */
static void the_noise_floor_is_what_it_says(void **state)
{
	struct made slow = plain;

	(void)state;
	slow.rows[0].ms *= 1.3;
	compare_one(&plain, &slow);
	assert_true(fabs(result->totals[SP_METRIC_CPU].high - 1.9342982431) < 1e-6);
	assert_true(fabs(result->totals[SP_METRIC_CPU].p - 0.5931778874) < 1e-6);
	assert_true(fabs(row("parse")->high / MS - 315.644287) < 1e-3);
	forget();
	add_runs(SP_BASELINE, plain, 3, 0);
	add_runs(SP_CURRENT, slow, 3, 0);
	compare();
	assert_true(fabs(result->totals[SP_METRIC_CPU].high - 1.6631542060) < 1e-6);
}

static void four_a_side_are_too_few(void **state)
{
	struct made slow = plain;

	(void)state;
	slow.rows[0].ms *= 1.2;
	for (size_t n = 4; n <= 6; n += 2) {
		forget();
		add_runs(SP_BASELINE, plain, n, 0.01);
		add_runs(SP_CURRENT, slow, n, 0.01);
		compare();
		assert_int_equal(result->totals[SP_METRIC_CPU].exact, n == 6);
		assert_int_equal(result->verdict, n == 6 ? SP_VERDICT_REGRESSION : SP_VERDICT_UNKNOWN);
	}
}

static void noise_learned_is_the_floor(void **state)
{
	struct made slow = plain;
	struct sp_noise *noise;
	const char *why;
	size_t line;
	char *text;

	(void)state;
	add_runs(SP_BASELINE, plain, 10, 0.02);
	noise = sp_noise_learn(profiles[0], names[0], 10);
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
	compare_one(&plain, &slow);
	assert_true(result->score == 100);
	input.noise = noise;
	compare();
	assert_true(result->score < 100);
	assert_int_equal(result->totals[SP_METRIC_CPU].evidence, SP_EVIDENCE_CANDIDATE);
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

static void gates(void **state)
{
	struct made slow = plain;

	(void)state;
	slow.rows[0].ms *= 1.5; /* CPU +20 % */
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, slow, 6, 0.01);
	input.gate.fail_on_regression = 0.15;
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_REGRESSION);
	input.gate.fail_on_regression = 0.5;
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
	input.gate.fail_on_regression = NAN;
	input.gate.fail_below = 95;
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_REGRESSION);
	input.gate.fail_below = 50;
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
	input.gate.most[SP_METRIC_PEAK] = 7e6;
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_REGRESSION);
	input.gate.most[SP_METRIC_PEAK] = 9e6;
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
}

/* The table of docs/COMPARE.md. */
static void check_consistency(bool flags)
{
	int status = sp_compare_status(result);
	bool strict = input.gate.strict;

	switch (result->verdict) {
	case SP_VERDICT_PASS:
		assert_int_equal(status, 0);
		break;
	case SP_VERDICT_UNKNOWN:
		assert_int_equal(status, strict ? 3 : 0);
		break;
	default:
		assert_int_equal(status, 1);
		assert_true(result->grade > SP_GRADE_A);
	}
	if (result->verdict == SP_VERDICT_REGRESSION && sp_compare_grade(result->score) == SP_GRADE_A)
		assert_int_equal(result->grade, SP_GRADE_B);
	else
		assert_int_equal(result->grade, sp_compare_grade(result->score));
	if (!flags && result->verdict != SP_VERDICT_REGRESSION)
		assert_true(result->score == 100 && result->grade == SP_GRADE_A);
	if (!flags && result->verdict == SP_VERDICT_REGRESSION)
		assert_true(result->score < 100);
	assert_true(result->verdict == SP_VERDICT_PASS || result->reasons.count);
}

static void check_gates(void)
{
	static const double percent[] = {NAN, 0.05, 3}, below[] = {NAN, 89, 95};

	for (unsigned i = 0; i < 3 * 3 * 2 * 2; i++) {
		input.gate = (struct sp_gate){
			below[i / 3 % 3], percent[i % 3], {NAN, i / 9 % 2 ? 9e6 : NAN, NAN, NAN}, i / 18};
		compare();
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
		struct made other = plain;

		for (size_t k = 0; k < 3 && i / 36 % 4 != 1; k++)
			other.rows[k].ms *= growth;
		other.peak *= i / 36 % 4 ? growth : 1;
		other.wall_ms *= i / 36 % 4 == 2 ? growth : 1;
		other.extra = i / 36 % 4 == 3 ? "exit: signal 11\n" : NULL;
		forget();
		set_up(NULL);
		add_runs(SP_BASELINE, plain, counts[i / 9 % 4], noise);
		add_runs(SP_CURRENT, other, counts[i / 9 % 4], noise);
		check_gates();
		regressions += result->verdict == SP_VERDICT_REGRESSION;
		unknown += result->verdict == SP_VERDICT_UNKNOWN;
	}
	assert_true(regressions > 50 && unknown > 20);
}

static void failed_runs_are_no_evidence(void **state)
{
	struct made other = plain;

	(void)state;
	other.extra = "exit: 2\n";
	add_runs(SP_BASELINE, plain, 6, 0);
	add_runs(SP_CURRENT, plain, 5, 0);
	add_run(SP_CURRENT, &other);
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_UNKNOWN);
	assert_string_equal(result->reasons.items[0],
		"0 of 6 baseline and 1 of 6 current runs failed (run.md: exit 2): they may not have done their work.");
	assert_int_equal(sp_compare_status(result), 0);
	input.gate.strict = true;
	assert_int_equal(sp_compare_status(result), 3);
	other.extra = "exit: signal 15\n"; /* as servers are ended */
	compare_made(&other, &other);
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
}

static void the_same_run_is_no_change(void **state)
{
	struct made one = plain;

	(void)state;
	one.extra = "pid: 7\nstarted: 2026-01-01T00:00:00+00:00\n";
	input.gate.strict = true;
	add_run(SP_BASELINE, &one);
	add_run(SP_CURRENT, &one);
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_PASS);
	assert_int_equal(sp_compare_status(result), 0);
	assert_true(result->score == 100 && result->worst_score == 100);
}

static void what_is_missing_is_not_compared(void **state)
{
	struct made no_heap = plain;

	(void)state;
	no_heap.peak = -1;
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, no_heap, 6, 0.01);
	compare();
	assert_false(result->totals[SP_METRIC_PEAK].compared);
	assert_true(result->not_compared.count >= 2);
	assert_true(result->score == 100);
}

/* Whether the one small buffer of a program was sampled is chance: no growth, and no doubt about growth. */
static void small_heaps_are_all_the_same(void **state)
{
	struct made none = plain, sampled = plain;

	(void)state;
	none.peak = 0;
	sampled.peak = 18518;
	add_runs(SP_BASELINE, none, 3, 0);
	add_runs(SP_BASELINE, sampled, 3, 0);
	add_runs(SP_CURRENT, none, 5, 0);
	add_runs(SP_CURRENT, sampled, 1, 0);
	input.gate.fail_on_regression = 0.2;
	compare();
	assert_true(result->totals[SP_METRIC_PEAK].same);
	assert_true(result->totals[SP_METRIC_PEAK].current == 0);
	assert_int_equal(result->verdict, SP_VERDICT_PASS);

	forget();
	sampled.peak = 1e6;
	add_runs(SP_BASELINE, none, 6, 0);
	add_runs(SP_CURRENT, sampled, 6, 0);
	compare();
	assert_int_equal(result->verdict, SP_VERDICT_REGRESSION);
	assert_true(result->totals[SP_METRIC_PEAK].baseline == 0);
}

static bool warned(const char *about)
{
	for (size_t i = 0; i < result->warnings.count; i++)
		if (strstr(result->warnings.items[i], about))
			return true;
	return false;
}

/* Sites are estimates, the total is known: what all sites have in common is the estimate's error. */
static void sites_add_up_to_the_total(void **state)
{
	struct made less = plain, more = plain;

	(void)state;
	less.site = 55e6;
	more.site = 70e6;
	add_runs(SP_BASELINE, less, 6, 0);
	add_runs(SP_CURRENT, more, 6, 0);
	compare();
	assert_true(fabs(row("store")->baseline - 60e6) < 1);
	assert_true(fabs(row("store")->current - 60e6) < 1);
	assert_true(row("large")->baseline == 4e6); /* recorded exactly */
	assert_true(row("large")->current == 4e6);
	assert_int_equal(row("store")->state, SP_ROW_STEADY);
}

static void warnings(void **state)
{
	struct made other = plain, killed = plain;

	(void)state;
	other.extra = "environment: ci\ncpu_interval_achieved_us: 5000\nusable_cores: 1\n"
		      "cpu_samples: 50\ncpu_samples_dropped: 50\n";
	killed.extra = "environment: production\ncpu_interval_achieved_us: 100\nusable_cores: 4\n";
	add_run(SP_BASELINE, &killed);
	add_run(SP_CURRENT, &other);
	compare();
	assert_true(warned("environments: production and ci"));
	assert_true(warned("core limits: 4 and 1"));
	assert_true(warned("differs by more than 4 times"));
	assert_true(warned("50 % of the samples were dropped"));
	assert_false(warned("Different programs"));
	assert_false(warned("wholly before"));
	assert_false(warned("several versions")); /* one a side */
	other.extra = "build_id: aa\n";
	killed.extra = "build_id: bb\n";
	add_run(SP_BASELINE, &other);
	add_run(SP_BASELINE, &killed);
	compare();
	assert_true(warned("The baseline runs are of several versions of the program: builds"));
	assert_false(warned("The current runs"));
}

static void order_of_runs(void **state)
{
	struct made early = plain, late = plain;

	(void)state;
	early.extra = "started: 2026-01-01T10:00:00+00:00\n";
	late.extra = "started: 2026-01-01T11:00:00+00:00\n";
	add_runs(SP_BASELINE, early, 2, 0);
	add_runs(SP_CURRENT, late, 2, 0);
	compare();
	assert_true(warned("wholly before"));
}

static void check_name(const char *name, const char *expected)
{
	struct sp_buffer out = {0};

	sp_normal_name(&out, name);
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

static void check_family(const char *name, const char *expected)
{
	struct sp_buffer family = {0};

	assert_int_equal(sp_normal_family(&family, name), strcmp(name, expected) != 0);
	assert_string_equal(family.data, expected);
	sp_buffer_free(&family);
}

static void check_module(const char *path, const char *expected)
{
	struct sp_buffer out = {0};

	sp_normal_module(&out, path, "app");
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

/* A function that took over from a faster one is not what made the heap grow. */
static void the_cause_is_of_a_total_that_grew(void **state)
{
	struct made other = plain;
	struct sp_buffer text = {0};

	(void)state;
	other.rows[0].ms = 500; /* a.c */
	other.rows[2].ms = 200; /* b.c */
	other.peak *= 2;
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, other, 6, 0.01);
	compare();
	assert_int_equal(row("parse")->state, SP_ROW_REGRESSION);
	assert_true(result->score < 100);
	sp_compare_verdict_text(&text, result);
	assert_non_null(strstr(text.data, " +100.0 %. No single function or heap site stands out."));
	sp_buffer_clear(&text);

	forget();
	other = plain;
	other.rows[0].ms = 500;
	other.rows[2].ms = 200;
	other.site = 120e6;
	other.allocated = 124e6;
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, other, 6, 0.01);
	compare();
	sp_compare_verdict_text(&text, result);
	assert_non_null(strstr(text.data, " Most of it is in store (program)"));
	sp_buffer_free(&text);
}

static void names_are_normalized(void **state)
{
	(void)state;
	check_name("parse", "parse");
	check_name("parse.cold", "parse");
	check_name("parse.part.0.isra.12.constprop.3", "parse");
	check_name("parse.llvm.123456", "parse");
	check_name("parse(int) [clone .isra.0]", "parse(int)");
	check_name("std::vector<std::vector<int> >::at", "std::vector<std::vector<int>>::at");
	check_name("std::__cxx11::basic_string<char, x>", "std::basic_string<char,x>");
	check_name(".cold", ".cold");
	check_name("a.0", "a.0");
	check_name("my.partial", "my.partial");
	check_module("/opt/v1/app", "(program)");
	check_module("/lib/libfoo.so.1.2", "libfoo.so");
	check_module("/lib/libfoo.so", "libfoo.so");
	check_module("/lib/libfoo.sourcery", "libfoo.sourcery");
	check_name("core::fmt::write::h0123456789abcdef", "core::fmt::write");
	check_name("core::fmt::write::h0123456789abcdeg", "core::fmt::write::h0123456789abcdeg");
	check_name("<alloc[8f2ab3c4d5e6f708]::vec::Vec<u8> as core[b7fd1c0a9e8d7c6b]::clone::Clone>::clone",
		"<alloc::vec::Vec<u8> as core::clone::Clone>::clone");
	check_module("/opt/v2/libw-1.3.so", "libw.so");
	check_module("/opt/v2/libw-1.3.so.4", "libw.so");
	check_module("/usr/lib/libpython3.11.so.1.0", "libpython.so");
	check_module("/usr/lib/libz2.so.1", "libz2.so");
	check_family("f(int)::{lambda(int)#12}::operator()(int) const",
		"f(int)::{lambda(int)#}::operator()(int) const");
	check_family("f()::$_3::operator()() const", "f()::$_::operator()() const");
	check_family("f()::'lambda0'()::operator()() const", "f()::'lambda'()::operator()() const");
	check_family("work._omp_fn.1", "work._omp_fn.");
	check_family("counter.4711", "counter.");
	check_family("app::run::{closure#2}", "app::run::{closure#}");
	check_family("camlList__map_34", "camlList__map_");
	check_family("mul_64", "mul_64");
	check_family("vec3<2>::at(4)", "vec3<2>::at(4)");
	check_family("sha256_x2.avx512", "sha256_x2.avx512");
}

static void reports(void **state)
{
	struct made slow = plain;
	struct sp_buffer out = {0};
	json_t *root;

	(void)state;
	slow.rows[0].ms *= 1.5;
	slow.rows[0].file = "/src/odd, name.c";
	slow.rows[2].name = "evil|`%\\x0a";
	slow.rows[2].ms = 900;
	add_runs(SP_BASELINE, plain, 6, 0.01);
	add_runs(SP_CURRENT, slow, 6, 0.01);
	compare();
	sp_compare_json(&out, result);
	root = json_loadb(out.data, out.length, 0, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "verdict")), "regression");
	assert_int_equal(json_array_size(json_object_get(root, "totals")), SP_METRICS);
	json_decref(root);
	sp_buffer_clear(&out);
	sp_compare_github(&out, result);
	assert_int_equal(strncmp(out.data, "::error title=smartprof compare::Regression: app", 47), 0);
	for (const char *at = out.data; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		assert_int_equal(strncmp(at, "::", 2), 0);
	assert_null(strstr(out.data, " % "));
	assert_null(strstr(out.data, "file="));
	sp_buffer_clear(&out);
	input.sources = "/src/";
	sp_compare_github(&out, result);
	assert_non_null(strstr(out.data,
		"::warning file=odd%2C name.c,line=7,title=smartprof compare::parse (program): self"));
	input.sources = NULL;
	sp_buffer_clear(&out);
	sp_compare_markdown(&out, result);
	assert_non_null(strstr(out.data, "evil\\|\\`"));
	assert_non_null(strstr(out.data, "## Regressions"));
	sp_buffer_clear(&out);
	sp_compare_text(&out, result);
	assert_non_null(strstr(out.data, "regressions:\n  "));
	sp_buffer_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identical_is_100),
		TEST(half_is_surely_twice),
		TEST(the_score_is_monotone),
		TEST(swapping_sides_turns_it_over),
		TEST(renaming_and_moving_leave_the_score),
		TEST(a_rise_elsewhere_is_no_shift),
		TEST(callers_and_callees_tell_renames),
		TEST(cost_shifts_within_the_callers_subtree),
		TEST(the_interval_leaves_the_score),
		TEST(one_against_one_is_a_candidate),
		TEST(the_noise_floor_is_what_it_says),
		TEST(four_a_side_are_too_few),
		TEST(noise_learned_is_the_floor),
		TEST(damaged_noise_is_refused),
		TEST(gates),
		TEST(verdict_score_grade_and_status_agree),
		TEST(failed_runs_are_no_evidence),
		TEST(the_same_run_is_no_change),
		TEST(lambdas_are_matched_in_order),
		TEST(numbers_stay_where_nothing_came_or_went),
		TEST(what_is_missing_is_not_compared),
		TEST(small_heaps_are_all_the_same),
		TEST(sites_add_up_to_the_total),
		TEST(warnings),
		TEST(order_of_runs),
		TEST(the_cause_is_of_a_total_that_grew),
		TEST(names_are_normalized),
		TEST(reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
