/* Judging a check: see check.h. */
#include "profiles/gate/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

#define WAITED_LEAST 0.1 /* of the time: then wall time tells of the machine */

const char *const sp_figure_words[SP_FIGURE_STATES] = {[SP_FIGURE_ALONE] = "no baseline",
	[SP_FIGURE_FINE] = "fine",
	[SP_FIGURE_BETTER] = "better",
	[SP_FIGURE_UNSURE] = "not sure",
	[SP_FIGURE_DISTURBED] = "disturbed",
	[SP_FIGURE_NOISE] = "noise",
	[SP_FIGURE_NOT_CODE] = "not the code",
	[SP_FIGURE_WORSE] = "worse",
	[SP_FIGURE_ABOVE] = "above the limit"};

struct sp_check_figure *sp_check_figure(struct sp_check_command *command, const char *name, enum sp_gate_metric metric)
{
	struct sp_check_figure *figure;

	for (size_t i = 0; i < command->figure_count; i++)
		if (strcmp(command->figures[i].name, name) == 0)
			return &command->figures[i];
	sp_grow(&command->figures, &command->figure_capacity, command->figure_count + 1, sizeof(*command->figures));
	figure = &command->figures[command->figure_count++];
	*figure = (struct sp_check_figure){.name = sp_copy_text(name), .metric = metric, .allowed = -1};
	return figure;
}

static size_t count_figures(const struct sp_check *check)
{
	size_t count = 0;

	for (size_t i = 0; i < check->command_count; i++)
		for (size_t k = 0; k < check->commands[i].figure_count; k++) {
			const struct sp_check_figure *f = &check->commands[i].figures[k];

			count += (f->baseline.count && f->allowed >= 0) + (f->limit > 0);
		}
	return count ? count : 1;
}

static bool is_time(enum sp_gate_metric metric)
{
	return metric == SP_GATE_WALL || metric == SP_GATE_START || metric == SP_GATE_SPAN;
}

double sp_check_busy(const struct sp_check_command *command)
{
	double most = fmax(command->waited[0], command->waited[1]);

	return most > WAITED_LEAST ? fmin(most, 1) : 0;
}

static bool is_disturbed(const struct sp_check_command *command, const struct sp_check_figure *figure)
{
	return is_time(figure->metric) && sp_check_busy(command) > 0;
}

/* How many times a figure may be above what it would be on a machine that nobody else uses. */
static double disturbance(const struct sp_check_command *command, const struct sp_check_figure *figure)
{
	double waited = command->waited[0] > WAITED_LEAST ? fmin(command->waited[0], 0.99) : 0;

	if (is_time(figure->metric))
		return 1 / (1 - waited);
	return figure->metric == SP_GATE_CPU ? exp(3 * SP_GATE_CONTENTION * waited) : 1;
}

static enum sp_figure_state compared_state(const struct sp_check_command *command, const struct sp_check_figure *figure)
{
	switch (figure->judgement.answer) {
	case SP_GATE_FINE:
		return SP_FIGURE_FINE;
	case SP_GATE_BETTER:
		return is_disturbed(command, figure) ? SP_FIGURE_DISTURBED : SP_FIGURE_BETTER;
	case SP_GATE_UNSURE:
		return is_disturbed(command, figure) ? SP_FIGURE_DISTURBED : SP_FIGURE_UNSURE;
	case SP_GATE_WORSE:
		if (is_disturbed(command, figure))
			return SP_FIGURE_DISTURBED;
		return command->code == SP_CODE_SAME && !command->config->same_code_fails ? SP_FIGURE_NOT_CODE
											  : SP_FIGURE_WORSE;
	default:
		return SP_FIGURE_ALONE;
	}
}

static void judge_figure(const struct sp_check_command *command, struct sp_check_figure *figure, double chance)
{
	struct sp_gate_terms terms = {figure->allowed, chance,
		sp_gate_occasions(figure->trend.items, figure->trend.count), sp_check_busy(command)};

	figure->state = SP_FIGURE_ALONE;
	if (figure->baseline.count) {
		if (figure->allowed < 0)
			terms.allowed = INFINITY;
		figure->judgement = sp_gate_judge(figure->metric, &figure->baseline, &figure->current, &terms);
		figure->state = compared_state(command, figure);
	}
	if (figure->limit <= 0)
		return;
	if (!figure->current.count) {
		figure->state = SP_FIGURE_UNSURE; /* a span of another name, or no run with the agent */
		return;
	}
	figure->against_limit = sp_gate_judge_limit(figure->metric, &figure->current, figure->limit, chance);
	if (figure->against_limit.answer == SP_GATE_WORSE)
		figure->state = figure->against_limit.low > disturbance(command, figure) ? SP_FIGURE_ABOVE
											 : SP_FIGURE_DISTURBED;
	else if (figure->against_limit.answer == SP_GATE_UNSURE && figure->state < SP_FIGURE_UNSURE)
		figure->state = SP_FIGURE_UNSURE;
	else if (figure->against_limit.answer == SP_GATE_FINE && figure->state == SP_FIGURE_ALONE)
		figure->state = SP_FIGURE_FINE;
}

bool sp_check_is_suspect(const struct sp_check_figure *figure)
{
	return figure->state == SP_FIGURE_WORSE || figure->state == SP_FIGURE_NOT_CODE ||
		(figure->state == SP_FIGURE_UNSURE && figure->allowed >= 0 &&
			figure->judgement.ratio > 1 + figure->allowed);
}

bool sp_check_has_suspects(const struct sp_check_command *command)
{
	for (size_t i = 0; i < command->figure_count; i++)
		if (sp_check_is_suspect(&command->figures[i]) || command->figures[i].state == SP_FIGURE_ABOVE)
			return true;
	return false;
}

bool sp_check_all_failed(const struct sp_check_command *command)
{
	return command->runs && command->failed == command->runs;
}

/* Where time tells of the machine, CPU time tells of the program. */
static bool is_settled(const struct sp_check_command *command)
{
	for (size_t i = 0; i < command->figure_count; i++)
		if (command->figures[i].metric == SP_GATE_CPU)
			return command->figures[i].state == SP_FIGURE_FINE ||
				command->figures[i].state == SP_FIGURE_BETTER;
	return false;
}

/* An alarm counts when it sounds again. */
static void settle_alarm(struct sp_check *check, struct sp_check_figure *figure, bool first)
{
	if (first) {
		figure->alarmed = figure->state == SP_FIGURE_WORSE;
		check->alarms += figure->alarmed;
	} else if (figure->alarmed && figure->state != SP_FIGURE_WORSE && figure->state != SP_FIGURE_ABOVE) {
		figure->state = figure->state == SP_FIGURE_NOT_CODE ? SP_FIGURE_NOT_CODE : SP_FIGURE_NOISE;
	} else if (figure->alarmed) {
		check->persisted++;
	} else if (check->repeated && figure->state == SP_FIGURE_WORSE) {
		figure->state = SP_FIGURE_NOISE; /* it did not sound before */
	}
}

/* As comparisons have it: what a command surely costs more, by weight. */
static double score_of(const struct sp_check_command *command)
{
	static const double weight_of[SP_GATE_METRICS] = {[SP_GATE_CPU] = 50,
		[SP_GATE_PEAK] = 25,
		[SP_GATE_ALLOCATED] = 15,
		[SP_GATE_WALL] = 10,
		[SP_GATE_START] = 10,
		[SP_GATE_SPAN] = 10};
	double *factors = sp_alloc(command->figure_count + 1, sizeof(*factors));
	double *weights = sp_alloc(command->figure_count + 1, sizeof(*weights)), score;

	for (size_t i = 0; i < command->figure_count; i++) {
		const struct sp_check_figure *f = &command->figures[i];
		bool counts = f->state == SP_FIGURE_WORSE || f->state == SP_FIGURE_ABOVE ||
			f->state == SP_FIGURE_FINE || f->state == SP_FIGURE_UNSURE;

		factors[i] = f->baseline.count ? counts ? fmax(f->judgement.low, 1) : 1 : -1;
		weights[i] = weight_of[f->metric];
	}
	score = sp_compare_score(factors, weights, command->figure_count);
	free(factors);
	free(weights);
	return score;
}

void sp_check_sum_up(struct sp_check *check)
{
	double log_sum = 0;

	check->verdict = SP_CHECK_PASS;
	for (size_t i = 0; i < check->command_count; i++) {
		struct sp_check_command *c = &check->commands[i];

		c->score = score_of(c);
		log_sum += log(c->score);
		c->too_many_failed = c->runs && (double)(c->runs - c->failed) < c->config->success * (double)c->runs;
		if (c->too_many_failed)
			check->verdict = SP_CHECK_FAIL;
		else if (check->verdict == SP_CHECK_PASS && sp_check_all_failed(c))
			check->verdict = SP_CHECK_UNSURE;
		for (size_t k = 0; k < c->figure_count; k++) {
			enum sp_figure_state state = c->figures[k].state;

			if (state >= SP_FIGURE_WORSE)
				check->verdict = SP_CHECK_FAIL;
			else if (check->verdict == SP_CHECK_PASS &&
				(state == SP_FIGURE_UNSURE || (state == SP_FIGURE_DISTURBED && !is_settled(c))))
				check->verdict = SP_CHECK_UNSURE;
		}
	}
	check->score = check->command_count ? exp(log_sum / (double)check->command_count) : 100;
	check->grade = sp_compare_grade(check->score);
	if (check->verdict == SP_CHECK_FAIL && check->grade == SP_GRADE_A)
		check->grade = SP_GRADE_B;
}

void sp_check_judge(struct sp_check *check, bool first)
{
	double chance = (1 - check->config->confidence) / (double)count_figures(check);

	check->persisted = 0;
	if (first)
		check->alarms = 0;
	for (size_t i = 0; i < check->command_count; i++)
		for (size_t k = 0; k < check->commands[i].figure_count; k++) {
			judge_figure(&check->commands[i], &check->commands[i].figures[k], chance);
			settle_alarm(check, &check->commands[i].figures[k], first);
		}
	sp_check_sum_up(check);
}

int sp_check_status(const struct sp_check *check, bool strict)
{
	if (check->verdict == SP_CHECK_FAIL)
		return SP_STATUS_REGRESSION;
	return check->verdict == SP_CHECK_UNSURE && strict ? SP_STATUS_NO_EVIDENCE : SP_STATUS_PASS;
}

static void free_figures(struct sp_check_command *command)
{
	for (size_t i = 0; i < command->figure_count; i++) {
		free(command->figures[i].name);
		free(command->figures[i].current.items);
		free(command->figures[i].baseline.items);
		free(command->figures[i].trend.items);
	}
	free(command->figures);
}

void sp_check_free(struct sp_check *check)
{
	for (size_t i = 0; i < check->command_count; i++) {
		struct sp_check_command *c = &check->commands[i];

		free_figures(c);
		free(c->failure);
		free(c->code_text);
		free(c->cause);
		free(c->decided);
	}
	free(check->commands);
	free(check->baseline_text);
	free(check->commit);
	free(check->branch);
	free(check->machine);
	json_decref(check->baseline);
}
