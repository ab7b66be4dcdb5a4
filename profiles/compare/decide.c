/* The score, and the verdict with its reasons. */
#include "profiles/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/code.h"
#include "profiles/compare/report.h"
#include "profiles/compare/stages.h"
#include "profiles/compare/stats.h"

#define EFFECT_LEAST 0.02 /* no machine shows a smaller growth in a reasonable number of runs */

double sp_compare_score(const double *factors, const double *weights, size_t count)
{
	double sum = 0, weight = 0;

	for (size_t i = 0; i < count; i++) {
		if (factors[i] < 0)
			continue;
		sum += weights[i] * log(fmax(factors[i], 1));
		weight += weights[i];
	}
	return weight > 0 ? 100 / exp(sum / weight) : 100;
}

enum sp_grade sp_compare_grade(double score)
{
	return score >= 90    ? SP_GRADE_A
		: score >= 80 ? SP_GRADE_B
		: score >= 70 ? SP_GRADE_C
		: score >= 60 ? SP_GRADE_D
			      : SP_GRADE_F;
}

static void set_scores(struct sp_comparison *c)
{
	double now[SP_GATING], worst[SP_GATING], weights[SP_GATING];

	for (unsigned m = 0; m < SP_GATING; m++) {
		const struct sp_total *total = &c->totals[m];

		now[m] = total->compared ? total->factor : -1;
		worst[m] = total->compared ? total->high : -1;
		weights[m] = total->weight;
	}
	c->score = sp_compare_score(now, weights, SP_GATING);
	c->worst_score = sp_compare_score(worst, weights, SP_GATING);
}

/* Whether the profiled program did not do its work, as far as that can be seen. Servers are ended by these signals. */
static bool has_failed(const struct sp_profile *p)
{
	static const char *const ends[] = {"0", "exec", "signal 1", "signal 2", "signal 15"};
	const char *ended = sp_profile_fact(p, "exit");

	for (size_t i = 0; ended && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(ended, ends[i]) == 0)
			return false;
	return ended != NULL;
}

static void say(struct sp_comparison *c, enum sp_verdict verdict)
{
	if (c->verdict == SP_VERDICT_PASS || verdict == SP_VERDICT_REGRESSION)
		c->verdict = verdict;
}

/* The growth that a pass must exclude. */
static double effect_of(const struct sp_gate *gate)
{
	double effect = SP_COMPARE_EFFECT;

	if (!isnan(gate->fail_on_regression))
		effect = gate->fail_on_regression;
	else if (!isnan(gate->fail_below) && gate->fail_below < 100)
		effect = 100 / gate->fail_below - 1;
	return fmax(effect, EFFECT_LEAST);
}

/* An assumed spread bounds what can be said, but tells nothing of how many runs it takes: those that will be
 * made show it. */
static bool is_measured(const struct sp_comparison *c, const struct sp_total *total)
{
	return total->compared && !total->same && (total->exact || c->input->noise);
}

static void set_runs_needed(struct sp_comparison *c)
{
	double effect = log1p(effect_of(&c->input->gate));

	for (unsigned m = 0; m < SP_METRICS; m++)
		c->totals[m].runs_needed = sp_stats_runs_needed(is_measured(c, &c->totals[m]) ? c->totals[m].spread : 0,
			effect, SP_COMPARE_ALPHA * sp_metric_info[m].part);
}

/* One total whose interval leaves room for the growth the gate looks for. */
static void not_enough(struct sp_comparison *c, enum sp_metric metric, double effect)
{
	const struct sp_total *total = &c->totals[metric];
	const char *how = total->exact ? ""
		: c->input->noise      ? " by the calibrated noise"
				       : " by the assumed noise floor";

	say(c, SP_VERDICT_UNKNOWN);
	if (total->runs_needed >= SP_STATS_RUNS_MAX) {
		sp_sentences_add(c, &c->reasons,
			"%s may have grown by %.0f %%%s; it varies too much for any number of runs.",
			sp_metric_info[metric].name, 100 * (total->high - 1), how);
		return;
	}
	sp_sentences_add(c, &c->reasons,
		"%s may have grown by up to %.0f %%%s: not enough evidence. Run %zu a side to tell %.0f %% from "
		"none%s.",
		sp_metric_info[metric].name, 100 * (total->high - 1), how, total->runs_needed, 100 * effect,
		total->exact || c->input->noise ? "" : ", or calibrate");
}

/* A total gates when it has weight in the score. Wall time fails a gate but is never what evidence is waited
 * for: on a shared machine no number of runs would do. */
static void gate_regressions(struct sp_comparison *c)
{
	double asked = c->input->gate.fail_on_regression, effect = effect_of(&c->input->gate);

	for (unsigned m = 0; m < SP_GATING; m++) {
		const struct sp_total *total = &c->totals[m];

		if (!total->compared || total->weight <= 0)
			continue;
		if (total->factor > 1 && (isnan(asked) || total->ratio - 1 >= asked)) {
			say(c, SP_VERDICT_REGRESSION);
			sp_sentences_add(c, &c->reasons, "%s grew by %.1f %% (%.1f to %.1f), %s.",
				sp_metric_info[m].name, 100 * (total->ratio - 1), 100 * (total->low - 1),
				100 * (total->high - 1), sp_evidence_name(total->evidence));
		} else if (m != SP_METRIC_WALL && total->high > 1 + effect &&
			fabs(total->high - 1) * fmax(total->baseline, sp_metric_info[m].least) >
				sp_metric_info[m].least) {
			not_enough(c, m, effect);
		}
	}
}

static void gate_score(struct sp_comparison *c)
{
	double below = c->input->gate.fail_below;

	if (c->score < below) {
		say(c, SP_VERDICT_REGRESSION);
		sp_sentences_add(c, &c->reasons, "The score %.1f is below %g.", c->score, below);
	} else if (c->worst_score < below) {
		size_t runs = 0;

		for (unsigned m = 0; m < SP_GATING; m++)
			if (m != SP_METRIC_WALL && c->totals[m].compared && c->totals[m].runs_needed > runs)
				runs = c->totals[m].runs_needed;
		say(c, SP_VERDICT_UNKNOWN);
		sp_sentences_add(c, &c->reasons,
			"The score could be as low as %.1f, which is below %g: not enough evidence. Run %zu a side.",
			c->worst_score, below, runs);
	}
}

static void gate_limits(struct sp_comparison *c)
{
	for (unsigned m = 0; m < SP_GATING; m++) {
		double most = c->input->gate.most[m];
		const struct sp_total *total = &c->totals[m];
		struct sp_buffer text = {0};

		if (isnan(most))
			continue;
		if (!total->compared) {
			say(c, SP_VERDICT_UNKNOWN);
			sp_sentences_add(c, &c->reasons, "%s has a limit but is not in every profile.",
				sp_metric_info[m].name);
		} else if (total->current > most) {
			say(c, SP_VERDICT_REGRESSION);
			sp_compare_put_value(&text, sp_metric_info[m].unit, total->current);
			sp_buffer_puts(&text, " is above the limit of ");
			sp_compare_put_value(&text, sp_metric_info[m].unit, most);
			sp_sentences_add(c, &c->reasons, "%s: %s.", sp_metric_info[m].name, text.data);
		}
		sp_buffer_free(&text);
	}
}

/* What failed runs cost tells nothing of what the program's work costs. */
static void gate_failures(struct sp_comparison *c)
{
	const struct sp_comparison_input *in = c->input;
	size_t count[SP_SIDES] = {0}, first = 0;
	int side_of_first = -1;

	for (int side = SP_SIDES - 1; side >= 0; side--)
		for (size_t i = in->count[side]; i-- > 0;) {
			if (!has_failed(in->profiles[side][i]))
				continue;
			count[side]++;
			first = i;
			side_of_first = side;
		}
	if (side_of_first < 0)
		return;
	say(c, SP_VERDICT_UNKNOWN);
	sp_sentences_add(c, &c->reasons,
		"%zu of %zu baseline and %zu of %zu current runs failed (%s: exit %s): they may not have done their "
		"work.",
		count[SP_BASELINE], in->count[SP_BASELINE], count[SP_CURRENT], in->count[SP_CURRENT],
		in->names[side_of_first][first], sp_profile_fact(in->profiles[side_of_first][first], "exit"));
}

static void set_grade(struct sp_comparison *c)
{
	c->grade = sp_compare_grade(c->score);
	if (c->verdict == SP_VERDICT_REGRESSION && c->grade == SP_GRADE_A)
		c->grade = SP_GRADE_B;
}

int sp_compare_status(const struct sp_comparison *c)
{
	if (c->verdict == SP_VERDICT_REGRESSION)
		return SP_STATUS_REGRESSION;
	return c->verdict == SP_VERDICT_UNKNOWN && c->input->gate.strict ? SP_STATUS_NO_EVIDENCE : SP_STATUS_PASS;
}

/* Threads with nothing to do wait for as long as the others take. */
static double idle_ns(const struct sp_profile *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->thread_count; i++)
		if (sp_waiting_is_idle(&p->threads[i].waiting))
			sum += (double)p->threads[i].waiting.kind_ns[SP_WAIT_CONDITION];
	return sum;
}

static double idle_growth_ns(const struct sp_comparison *c)
{
	double mean[SP_SIDES] = {0};

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < c->input->count[side]; i++)
			mean[side] += idle_ns(c->input->profiles[side][i]) / (double)c->input->count[side];
	return mean[SP_CURRENT] - mean[SP_BASELINE];
}

/* The median of a side's runs, in seconds, without idle threads; negative: some have no such fact. kind: SP_WAIT_KINDS for none. */
static double median_fact(const struct sp_comparison *c, enum sp_side side, const char *key, int kind)
{
	size_t n = c->input->count[side];
	double *values = sp_alloc(n, sizeof(*values)), median = -1;
	size_t known = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sp_profile *p = c->input->profiles[side][i];
		const char *text = sp_profile_fact(p, key);
		double idle_s = kind == SP_WAIT_CONDITION ? idle_ns(p) / 1e9 : 0;

		if (text)
			values[known++] = fmax(strtod(text, NULL) - idle_s, 0);
	}
	if (known == n && n)
		median = sp_stats_median(values, n);
	free(values);
	return median;
}

static bool has_grown(const struct sp_comparison *c, enum sp_metric metric)
{
	const struct sp_total *total = &c->totals[metric];

	return total->compared && total->evidence != SP_EVIDENCE_NONE && total->ratio > 1;
}

#define CPU_PART 0.1   /* of the growth of waiting: a smaller one of CPU time does not explain it */
#define NAMED_PART 0.1 /* of it: a lock or call that grew by less says nothing */

static double growth_of(const struct sp_comparison *c, enum sp_metric metric)
{
	return has_grown(c, metric) ? c->totals[metric].current - c->totals[metric].baseline : 0;
}

static bool is_of_waiting(const struct sp_comparison *c)
{
	double waited = growth_of(c, SP_METRIC_BLOCKED) + growth_of(c, SP_METRIC_QUEUE);

	if (!has_grown(c, SP_METRIC_CPU))
		return waited > 0 || has_grown(c, SP_METRIC_WALL);
	return growth_of(c, SP_METRIC_CPU) < CPU_PART * waited;
}

static void say_waiting(struct sp_comparison *c, const char *most)
{
	sp_sentences_add(c, &c->reasons, "Threads wait more, and CPU time %s: most of it, %s.",
		has_grown(c, SP_METRIC_CPU) ? "grew by far less" : "has not grown for sure", most);
}

/* By kinds of calls, or the wait for a CPU, which is all that is known of profiles without samples of waits. */
static void explain_by_kind(struct sp_comparison *c)
{
	struct sp_buffer text = {0};
	const char *most = NULL;
	double grown = 0, was = 0;

	for (int i = -1; i < SP_WAIT_KINDS; i++) {
		const char *key = i < 0 ? "run_queue_seconds" : sp_wait_kind_fact(i);
		double before = median_fact(c, SP_BASELINE, key, i), now = median_fact(c, SP_CURRENT, key, i);

		if (before < 0 || now - before <= grown)
			continue;
		grown = now - before;
		was = before;
		most = i < 0 ? "for a CPU" : sp_wait_kind_name(i);
	}
	if (most) {
		sp_buffer_printf(&text, "%.3g s, %s%s (%.3g s, then %.3g s)", grown,
			strchr(most, ' ') ? "" : "in calls of the kind ", most, was, was + grown);
		say_waiting(c, text.data);
	}
	sp_buffer_free(&text);
}

/* What takes longer and not for more CPU time is waited: in what most of it is. */
static void explain_waiting(struct sp_comparison *c)
{
	const struct sp_total *queue = &c->totals[SP_METRIC_QUEUE];
	double queue_ns = queue->compared ? queue->current - queue->baseline : 0;
	double blocked_ns = growth_of(c, SP_METRIC_BLOCKED) - idle_growth_ns(c);
	struct sp_buffer text = {0};

	if (!is_of_waiting(c))
		return;
	if (sp_compare_waits_put(c, SP_CURRENT, fmax(queue_ns, NAMED_PART * blocked_ns), &text)) {
		say_waiting(c, text.data);
	} else {
		explain_by_kind(c);
		if (blocked_ns > 0 && sp_compare_waits_put(c, SP_CURRENT, NAMED_PART * blocked_ns, &text))
			sp_sentences_add(c, &c->reasons, "Most of what grew in calls: %s.", text.data);
	}
	sp_buffer_free(&text);
}

/* Growth that is not the code's; or whose code changed. */
static void explain_code(struct sp_comparison *c)
{
	struct sp_buffer names = {0};
	bool grew = false;

	for (unsigned m = 0; m < SP_GATING; m++)
		grew = grew || has_grown(c, m);
	if (!grew || c->code == SP_CODE_UNKNOWN)
		return;
	if (c->code == SP_CODE_CHANGED) {
		sp_compare_code_put(&names, c);
		sp_sentences_add(c, &c->reasons, "Of what was sampled, the machine code of these changed: %s.",
			names.data);
		sp_buffer_free(&names);
		return;
	}
	if (c->same_build)
		sp_sentences_add(c, &c->reasons,
			"The code did not change: both sides are build %s. What grew is the machine's or the input's.",
			sp_profile_fact(c->input->profiles[SP_CURRENT][0], "build_id"));
	else
		sp_sentences_add(c, &c->reasons,
			"The machine code of every function that was seen is the same on both sides. What grew is the "
			"machine's or the input's, or comes of constants and tables.");
}

void sp_compare_decide(struct sp_comparison *c)
{
	const struct sp_gate *gate = &c->input->gate;
	bool limits = false, compared = false;

	set_scores(c);
	set_runs_needed(c);
	for (unsigned m = 0; m < SP_GATING; m++) {
		limits = limits || !isnan(gate->most[m]);
		compared = compared || (c->totals[m].compared && c->totals[m].weight > 0);
	}
	if (c->input->span)
		sp_compare_gate_spans(c, effect_of(gate));
	if (!isnan(gate->fail_below))
		gate_score(c);
	if (c->input->span)
		compared = true;
	else if (!isnan(gate->fail_on_regression) || (isnan(gate->fail_below) && !limits))
		gate_regressions(c);
	gate_limits(c);
	if (!compared) {
		say(c, SP_VERDICT_UNKNOWN);
		sp_sentences_add(c, &c->reasons, "There is no total that both sides have.");
	}
	gate_failures(c);
	explain_waiting(c);
	explain_code(c);
	set_grade(c);
}
