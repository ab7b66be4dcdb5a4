/* A check as a Markdown page: executive summary, figures, analysis, technical details. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/gate/check.h"

#define TREND_MOST 30u

static void put_cell(struct sp_buffer *out, const char *text)
{
	sp_escape(out, SP_ESCAPE_CELL, text, strlen(text));
}

static void put_finding(struct sp_buffer *out, const struct sp_check_command *c, const struct sp_check_figure *f)
{
	struct sp_buffer text = {0};

	sp_check_put_finding(&text, c, f);
	sp_buffer_puts(out, "- ");
	put_cell(out, c->config->name);
	sp_buffer_puts(out, ": ");
	sp_escape(out, SP_ESCAPE_CELL, text.data ? text.data : "", text.length);
	sp_buffer_puts(out, ".\n");
	sp_buffer_free(&text);
}

/* The findings of some states. Returns how many. */
static size_t put_findings(struct sp_buffer *out, const struct sp_check *check, enum sp_figure_state from,
	enum sp_figure_state to)
{
	size_t count = 0;

	for (size_t i = 0; i < check->command_count; i++)
		for (size_t k = 0; k < check->commands[i].figure_count; k++) {
			const struct sp_check_figure *f = &check->commands[i].figures[k];

			if (f->state < from || f->state > to)
				continue;
			put_finding(out, &check->commands[i], f);
			count++;
		}
	return count;
}

static void put_line(struct sp_buffer *out, const struct sp_check_command *c, const char *what, const char *text)
{
	if (!text)
		return;
	sp_buffer_puts(out, "- ");
	put_cell(out, c->config->name);
	sp_buffer_printf(out, "%s: ", what);
	put_cell(out, text);
	sp_buffer_puts(out, "\n");
}

static void put_summary(struct sp_buffer *out, const struct sp_check *check)
{
	sp_buffer_puts(out, "## Executive summary\n\n**");
	sp_check_put_summary(out, check);
	sp_buffer_puts(out, "**\n\n");
	put_findings(out, check, SP_FIGURE_WORSE, SP_FIGURE_ABOVE);
	for (size_t i = 0; i < check->command_count; i++) {
		const struct sp_check_command *c = &check->commands[i];

		if (c->too_many_failed || sp_check_all_failed(c)) {
			sp_buffer_puts(out, "- ");
			put_cell(out, c->config->name);
			sp_buffer_printf(out, ": %zu of %zu runs failed (", c->failed, c->runs);
			put_cell(out, c->failure ? c->failure : "");
			sp_buffer_puts(out, ").\n");
		}
		if (check->verdict == SP_CHECK_FAIL)
			put_line(out, c, ", cause", c->cause);
	}
	sp_buffer_puts(out, "\n");
	put_cell(out, check->baseline_text ? check->baseline_text : "There is no baseline.");
	sp_buffer_puts(out, "\n\n");
}

/* Medians of occasions before, and now. */
static void put_trend(struct sp_buffer *out, const struct sp_check_figure *f)
{
	size_t from = f->trend.count > TREND_MOST ? f->trend.count - TREND_MOST : 0, n = 0;
	double values[TREND_MOST + 1], most = 0;

	for (size_t i = from; i < f->trend.count; i++)
		values[n++] = f->trend.items[i];
	values[n++] = sp_gate_median(&f->current);
	for (size_t i = 0; i < n; i++)
		most = fmax(most, values[i]);
	if (n > 1 && most > 0)
		sp_put_bars(out, values, n, most);
}

static void put_row(struct sp_buffer *out, const struct sp_check_command *c, const struct sp_check_figure *f)
{
	const struct sp_gate_judgement *j = &f->judgement;
	struct sp_buffer name = {0};

	sp_check_put_figure_name(&name, f);
	sp_buffer_puts(out, "| ");
	put_cell(out, c->config->name);
	sp_buffer_puts(out, " | ");
	sp_escape(out, SP_ESCAPE_CELL, name.data, name.length);
	sp_buffer_puts(out, " | ");
	if (f->baseline.count)
		sp_check_put_value(out, f->metric, j->baseline);
	sp_buffer_puts(out, " | ");
	sp_check_put_value(out, f->metric, sp_gate_median(&f->current));
	if (f->baseline.count)
		sp_buffer_printf(out, " | %+.1f%% | %+.1f to %+.1f | ", 100 * (j->ratio - 1), 100 * (j->low - 1),
			100 * (j->high - 1));
	else
		sp_buffer_puts(out, " | | | ");
	if (f->baseline.count && f->allowed >= 0)
		sp_buffer_printf(out, "%+.0f%%", 100 * f->allowed);
	sp_buffer_puts(out, " | ");
	if (f->limit > 0)
		sp_check_put_value(out, f->metric, f->limit);
	sp_buffer_printf(out, " | %s | ", sp_figure_words[f->state]);
	put_trend(out, f);
	sp_buffer_puts(out, " |\n");
	sp_buffer_free(&name);
}

static void put_figures(struct sp_buffer *out, const struct sp_check *check)
{
	sp_buffer_puts(out,
		"## Detailed metrics\n\n| Command | Figure | Baseline | Now | Change | Interval | Allowed | Limit | "
		"Answer | Trend |\n"
		"|:---|:---|---:|---:|---:|:---|---:|---:|:---|:---|\n");
	for (size_t i = 0; i < check->command_count; i++)
		for (size_t k = 0; k < check->commands[i].figure_count; k++)
			if (check->commands[i].figures[k].current.count)
				put_row(out, &check->commands[i], &check->commands[i].figures[k]);
	sp_buffer_puts(out,
		"\nValues are medians of runs. Change is surely no less than the interval's lower end, and hardly more "
		"than its upper "
		"one. Trend: medians of what was measured before, oldest first, and now.\n\n");
}

static void put_part(struct sp_buffer *out, const struct sp_check *check, const char *title, enum sp_figure_state from,
	enum sp_figure_state to, const char *none)
{
	sp_buffer_printf(out, "### %s\n\n", title);
	if (!put_findings(out, check, from, to))
		sp_buffer_puts(out, none);
	sp_buffer_puts(out, "\n");
}

static void put_next(struct sp_buffer *out, const struct sp_check *check)
{
	sp_buffer_puts(out, "### Next steps\n\n");
	if (sp_check_count(check, SP_FIGURE_WORSE, SP_FIGURE_WORSE))
		sp_buffer_puts(out,
			"- Look at the functions named above, or at `smartprof baseline compare`.\n"
			"- To be surer on a noisy machine: `smartprof check --decide` runs baseline and current "
			"program in turns.\n"
			"- If it is meant to cost that: `smartprof history accept latest --because TEXT`.\n");
	if (sp_check_count(check, SP_FIGURE_ABOVE, SP_FIGURE_ABOVE))
		sp_buffer_puts(out,
			"- A limit is passed: make it cost less, or raise the limit in `smartprof.toml`.\n");
	if (sp_check_count(check, SP_FIGURE_UNSURE, SP_FIGURE_DISTURBED))
		sp_buffer_puts(out,
			"- What is not sure: more `runs` in `smartprof.toml`, a quieter machine, or `smartprof check "
			"--decide`.\n");
	if (!check->baseline)
		sp_buffer_puts(out, "- Save a baseline: `smartprof baseline save`.\n");
	else if (check->verdict == SP_CHECK_PASS)
		sp_buffer_puts(out, "- Nothing is to be done.\n");
	sp_buffer_puts(out, "\n");
}

static const char *code_of(const struct sp_check_command *c)
{
	return sp_check_has_suspects(c) ? c->code_text : NULL;
}

static void put_analysis(struct sp_buffer *out, const struct sp_check *check)
{
	bool any = false;

	sp_buffer_puts(out, "## Analysis\n\n");
	put_part(out, check, "What improved", SP_FIGURE_BETTER, SP_FIGURE_BETTER, "Nothing for sure.\n");
	put_part(out, check, "What is worse", SP_FIGURE_WORSE, SP_FIGURE_ABOVE, "Nothing for sure.\n");
	put_part(out, check, "What remains", SP_FIGURE_UNSURE, SP_FIGURE_NOT_CODE, "No doubts.\n");
	if (check->alarms && check->repeated)
		sp_buffer_printf(out,
			"Alarms were measured again: %zu of %zu sounded in both batches (overlap %.0f %%); the others "
			"are "
			"noise.\n\n",
			check->persisted, check->alarms, 100 * (double)check->persisted / (double)check->alarms);
	for (size_t i = 0; i < check->command_count; i++) {
		const struct sp_check_command *c = &check->commands[i];

		any = any || c->cause || code_of(c) || c->decided;
	}
	sp_buffer_puts(out, any ? "### Causes\n\n" : "");
	for (size_t i = 0; i < check->command_count; i++) {
		put_line(out, &check->commands[i], "", check->commands[i].cause);
		put_line(out, &check->commands[i], ", code", code_of(&check->commands[i]));
		put_line(out, &check->commands[i], ", in turns", check->commands[i].decided);
	}
	sp_buffer_puts(out, any ? "\n" : "");
	put_next(out, check);
}

static void put_fact(struct sp_buffer *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	sp_buffer_printf(out, "- %s: ", name);
	put_cell(out, value);
	sp_buffer_puts(out, "\n");
}

static void put_details(struct sp_buffer *out, const struct sp_check *check)
{
	sp_buffer_puts(out, "## Technical details\n\n");
	put_fact(out, "Mode", check->mode);
	put_fact(out, "Commit", check->commit);
	put_fact(out, "Branch", check->branch);
	put_fact(out, "Machine class", check->machine);
	sp_buffer_printf(out, "- Confidence: %g %%, shared out over all figures\n", 100 * check->config->confidence);
	for (size_t i = 0; i < check->command_count; i++) {
		const struct sp_check_command *c = &check->commands[i];

		sp_buffer_puts(out, "- ");
		put_cell(out, c->config->name);
		sp_buffer_puts(out, ": `");
		sp_escape(out, SP_ESCAPE_CELL, c->config->run, strlen(c->config->run));
		sp_buffer_printf(out, "`, %zu runs, %zu failed, waited for CPUs for %.0f %% of the time", c->runs,
			c->failed, 100 * fmax(c->waited[0], 0));
		for (size_t k = 0; k < c->figure_count; k++)
			if (c->figures[k].baseline.count && c->figures[k].current.count) {
				sp_buffer_puts(out, "; ");
				put_cell(out, c->figures[k].name);
				sp_buffer_printf(out, ": spread of runs %.1f %%, of occasions %.1f %%%s",
					100 * c->figures[k].judgement.spread, 100 * c->figures[k].judgement.occasions,
					c->figures[k].trend.count >= SP_GATE_OCCASIONS_LEAST ? "" : " (assumed)");
			}
		sp_buffer_puts(out, "\n");
	}
}

void sp_check_markdown(struct sp_buffer *out, const struct sp_check *check)
{
	sp_buffer_puts(out, "# Performance check\n\n");
	put_summary(out, check);
	put_figures(out, check);
	put_analysis(out, check);
	put_details(out, check);
}
