/* The gate's judgement: what surely is worse, what is not sure, and how often it is wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/gate/check.h"
#include "profiles/gate/config.h"
#include "profiles/gate/judge.h"

#define TRIALS 2000

static uint64_t state = 1;

static double uniform(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return ((double)(state >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

/* n runs of about `value`, of one occasion. */
static void make(struct sp_gate_values *values, size_t n, double value, double spread, double occasion)
{
	double shift = occasion * normal();

	values->count = 0;
	for (size_t i = 0; i < n; i++)
		sp_gate_add_value(values, value * exp(shift + spread * normal()));
}

static double rate_of(enum sp_gate_answer answer, size_t n, double growth, double spread, double occasion)
{
	struct sp_gate_values a = {0}, b = {0};
	struct sp_gate_terms terms = {0.2, 0.001, NAN, 0};
	int hits = 0;

	for (int i = 0; i < TRIALS; i++) {
		make(&a, n, 1e9, spread, occasion);
		make(&b, n, 1e9 * growth, spread, occasion);
		hits += sp_gate_judge(SP_GATE_CPU, &a, &b, &terms).answer == answer;
	}
	free(a.items);
	free(b.items);
	return (double)hits / TRIALS;
}

static void test_rates(void **unused)
{
	(void)unused;
	/* nothing changed, and what changed is just what is allowed */
	assert_true(rate_of(SP_GATE_WORSE, 10, 1, 0.03, 0.04) <= 0.001);
	assert_true(rate_of(SP_GATE_WORSE, 10, 1.2, 0.03, 0.04) <= 0.005);
	assert_true(rate_of(SP_GATE_WORSE, 5, 1.2, 0.1, 0.04) <= 0.005);
	assert_true(rate_of(SP_GATE_FINE, 10, 1, 0.03, 0.04) >= 0.85);
	assert_true(rate_of(SP_GATE_WORSE, 10, 1.7, 0.03, 0.04) >= 0.95);
	assert_true(rate_of(SP_GATE_FINE, 10, 1.2, 0.03, 0.04) <= 0.07);
	assert_true(rate_of(SP_GATE_BETTER, 10, 0.6, 0.03, 0.04) >= 0.9);
	/* three runs and a large spread say nothing of a growth that is just allowed */
	assert_true(rate_of(SP_GATE_UNSURE, 3, 1.2, 0.15, 0.04) >= 0.8);
}

static void test_needed(void **unused)
{
	struct sp_gate_values a = {0}, b = {0};
	struct sp_gate_terms terms = {0.2, 0.001, 0, 0};
	struct sp_gate_judgement j;

	(void)unused;
	for (int i = 0; i < 6; i++) {
		sp_gate_add_value(&a, 1e9 * (1 + 0.06 * i));
		sp_gate_add_value(&b, 1.35e9 * (1 + 0.06 * i));
	}
	j = sp_gate_judge(SP_GATE_CPU, &a, &b, &terms);
	assert_int_equal(j.answer, SP_GATE_UNSURE);
	assert_true(j.needed > 6 && j.needed < 2000);
	terms.occasions = 0.2;
	j = sp_gate_judge(SP_GATE_CPU, &a, &b, &terms);
	assert_int_equal(j.answer, SP_GATE_UNSURE);
	assert_int_equal(j.needed, 0);
	b.count = 0;
	assert_int_equal(sp_gate_judge(SP_GATE_CPU, &a, &b, &terms).answer, SP_GATE_UNKNOWN);
	free(a.items);
	free(b.items);
}

/* What others take from caches on a busy machine is no growth of the program; time is judged elsewhere, and memory does not care. */
static void test_busy(void **unused)
{
	struct sp_gate_values a = {0}, b = {0};
	struct sp_gate_terms terms = {0.2, 0.001, NAN, 0};

	(void)unused;
	for (int i = 0; i < 10; i++) {
		sp_gate_add_value(&a, 100e6 + i * 1e6);
		sp_gate_add_value(&b, 240e6 + i * 2e6);
	}
	assert_int_equal(sp_gate_judge(SP_GATE_CPU, &a, &b, &terms).answer, SP_GATE_WORSE);
	terms.busy = 0.2;
	assert_int_equal(sp_gate_judge(SP_GATE_CPU, &a, &b, &terms).answer, SP_GATE_WORSE);
	terms.busy = 0.9;
	assert_int_equal(sp_gate_judge(SP_GATE_CPU, &a, &b, &terms).answer, SP_GATE_UNSURE);
	assert_int_equal(sp_gate_judge(SP_GATE_PEAK, &a, &b, &terms).answer, SP_GATE_WORSE);
	free(a.items);
	free(b.items);
}

/* Deterministic figures, and differences that are none. */
static void test_exact(void **unused)
{
	struct sp_gate_values a = {0}, b = {0};
	struct sp_gate_terms terms = {0.2, 0.001, NAN, 0};

	(void)unused;
	sp_gate_add_value(&a, 100 << 20);
	sp_gate_add_value(&b, 100 << 20);
	assert_int_equal(sp_gate_judge(SP_GATE_ALLOCATED, &a, &b, &terms).answer, SP_GATE_FINE);
	b.items[0] *= 2;
	assert_int_equal(sp_gate_judge(SP_GATE_ALLOCATED, &a, &b, &terms).answer, SP_GATE_WORSE);
	a.items[0] = 2000;
	b.items[0] = 6000;
	assert_int_equal(sp_gate_judge(SP_GATE_ALLOCATED, &a, &b, &terms).answer, SP_GATE_FINE);
	free(a.items);
	free(b.items);
}

static void test_limit(void **unused)
{
	struct sp_gate_values a = {0};

	(void)unused;
	make(&a, 10, 1e9, 0.02, 0);
	assert_int_equal(sp_gate_judge_limit(SP_GATE_CPU, &a, 2e9, 0.001).answer, SP_GATE_FINE);
	assert_int_equal(sp_gate_judge_limit(SP_GATE_CPU, &a, 0.8e9, 0.001).answer, SP_GATE_WORSE);
	assert_int_equal(sp_gate_judge_limit(SP_GATE_CPU, &a, sp_gate_median(&a), 0.001).answer, SP_GATE_UNSURE);
	a.count = 1;
	assert_int_equal(sp_gate_judge_limit(SP_GATE_CPU, &a, 0.2e9, 0.001).answer, SP_GATE_WORSE);
	assert_int_equal(sp_gate_judge_limit(SP_GATE_CPU, &a, 0.9e9, 0.001).answer, SP_GATE_UNSURE);
	free(a.items);
}

static void test_occasions(void **unused)
{
	double medians[200] = {0};

	(void)unused;
	assert_true(isnan(sp_gate_occasions(medians, 4)));
	for (int i = 0; i < 200; i++)
		medians[i] = 1e9 * exp(0.05 * normal()) * (i >= 100 ? 3 : 1);
	assert_true(fabs(sp_gate_occasions(medians, 200) - 0.05) < 0.01);
}

static void refused(const char *text, const char *part)
{
	char why[SP_GATE_WHY];
	struct sp_gate_config *config = sp_gate_config_parse(text, strlen(text), why);

	if (config || !strstr(why, part))
		fail_msg("%s: %s", text, config ? "is taken" : why);
}

static void test_config(void **unused)
{
	static const char text[] =
		"[check]\nruns = 5\nregression = 10\nconfidence = 99.9\nmain = 'trunk'\n[alert]\nx = 1\n"
		"[[command]]\nname = 'a'\nrun = './a b'\nwall = '1.5s'\npeak = '100MB'\nsuccess = 90\n[command.p99]\n"
		"request = '5ms'\n[[command]]\nrun = './b'\nruns = 3\nsame_code = 'fail'\n[command.regression]\ncpu = "
		"3\nwall = "
		"false\n";
	char why[SP_GATE_WHY];
	struct sp_gate_config *c = sp_gate_config_parse(text, strlen(text), why);

	(void)unused;
	assert_string_equal(why, "");
	assert_int_equal(c->command_count, 2);
	assert_int_equal(c->commands[0].runs, 5);
	assert_int_equal(c->commands[0].limit_count, 3);
	assert_true(c->commands[0].limits[0].most == 1.5e9 && c->commands[0].limits[1].most == 100e6);
	assert_string_equal(c->commands[0].limits[2].span, "request");
	assert_true(c->commands[0].success == 0.9 && c->commands[0].allowed[SP_GATE_CPU] == 0.1);
	assert_string_equal(c->commands[1].name, "./b");
	assert_true(c->commands[1].allowed[SP_GATE_CPU] == 0.03 && c->commands[1].allowed[SP_GATE_WALL] < 0 &&
		c->commands[1].allowed[SP_GATE_PEAK] == 0.1);
	assert_true(c->commands[1].same_code_fails && !c->commands[0].same_code_fails);
	assert_string_equal(c->main_branch, "trunk");
	sp_gate_config_free(c);
	refused("", "[[command]]");
	refused("x = 1", "no table 'x'");
	refused("[check]\nx = 1", "no key 'x'");
	refused("[[command]]\nname = 'a'", "run is missing");
	refused("[[command]]\nrun = 'a'\nwall = 'soon'", "a time such as");
	refused("[[command]]\nrun = 'a'\nwall = '-1s'", "a time such as");
	refused("[[command]]\nrun = 'a'\npeak = '5s'", "a size such as");
	refused("[[command]]\nrun = 'a'\nruns = 2.5", "whole number");
	refused("[[command]]\nrun = 'a'\nruns = 0", "from 1");
	refused("[[command]]\nrun = 'a'\nstart = '5ms'", "start_run");
	refused("[[command]]\nrun = 'a'\n[[command]]\nrun = 'a'", "two commands");
	refused("[[command]]\nrun = \"a\\u0000\"", "line 2");
	refused("[[command]]\nrun = 'a", "line 2");
}

/* One command with CPU time that doubled. */
static struct sp_check *make_check(struct sp_gate_config *config)
{
	static struct sp_gate_command command;
	struct sp_check *check = calloc(1, sizeof(*check));
	struct sp_check_figure *figure;

	command = (struct sp_gate_command){.name = "a", .run = "a", .success = 1};
	*config = (struct sp_gate_config){.commands = &command, .command_count = 1, .confidence = 0.99};
	check->config = config;
	check->mode = "all runs";
	check->commands = calloc(1, sizeof(*check->commands));
	check->command_count = 1;
	check->commands[0].config = &command;
	figure = sp_check_figure(&check->commands[0], "cpu", SP_GATE_CPU);
	figure->allowed = 0.2;
	make(&figure->baseline, 10, 1e9, 0.02, 0);
	make(&figure->current, 10, 2e9, 0.02, 0);
	sp_check_judge(check, true);
	assert_int_equal(check->alarms, 1);
	return check;
}

static void drop(struct sp_check *check)
{
	sp_check_free(check);
	free(check);
}

static void test_alarms(void **unused)
{
	struct sp_gate_config config;
	struct sp_check *check = make_check(&config);
	struct sp_check_figure *figure = check->commands[0].figures;

	(void)unused;
	assert_int_equal(sp_check_status(check, false), 1);
	assert_true(check->grade != SP_GRADE_A);
	check->repeated = true;
	sp_check_judge(check, false);
	assert_int_equal(check->persisted, 1);
	assert_int_equal(figure->state, SP_FIGURE_WORSE);
	make(&figure->current, 10, 1e9, 0.02, 0); /* it does not sound again */
	sp_check_judge(check, false);
	assert_int_equal(check->persisted, 0);
	assert_int_equal(figure->state, SP_FIGURE_NOISE);
	assert_int_equal(sp_check_status(check, true), 0);
	drop(check);
}

static void test_states(void **unused)
{
	struct sp_gate_config config;
	struct sp_check *check = make_check(&config);
	struct sp_check_command *command = check->commands;

	(void)unused;
	command->code = SP_CODE_SAME;
	sp_check_judge(check, true);
	assert_int_equal(command->figures->state, SP_FIGURE_NOT_CODE);
	assert_int_equal(sp_check_status(check, true), 0);
	config.commands->same_code_fails = true;
	sp_check_judge(check, true);
	assert_int_equal(sp_check_status(check, false), 1);
	command->figures->metric = SP_GATE_WALL; /* of a machine that had others to serve */
	command->waited[0] = 0.5;
	sp_check_judge(check, true);
	assert_int_equal(command->figures->state, SP_FIGURE_DISTURBED);
	assert_int_equal(sp_check_status(check, false), 0);
	assert_int_equal(sp_check_status(check, true), 3);
	command->figures->limit = 1.5e9; /* half of the time it waited */
	sp_check_judge(check, true);
	assert_int_equal(command->figures->state, SP_FIGURE_DISTURBED);
	command->figures->limit = 0.5e9;
	sp_check_judge(check, true);
	assert_int_equal(command->figures->state, SP_FIGURE_ABOVE);
	assert_int_equal(sp_check_status(check, false), 1);
	command->figures->limit = 0;
	command->runs = 10;
	command->failed = 1;
	sp_check_judge(check, true);
	assert_int_equal(sp_check_status(check, false), 1);
	config.commands->success = 0.9;
	sp_check_judge(check, true);
	assert_int_equal(sp_check_status(check, false), 0);
	drop(check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_occasions),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
