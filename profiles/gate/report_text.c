/* A check for a terminal, and the words that all reports share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/gate/check.h"

void sp_check_put_value(struct sp_buffer *out, enum sp_gate_metric metric, double value)
{
	if (sp_gate_metrics[metric].unit == SP_GATE_NS)
		sp_put_duration(out, sp_whole(value));
	else
		sp_put_size(out, sp_whole(value));
}

void sp_check_put_figure_name(struct sp_buffer *out, const struct sp_check_figure *figure)
{
	const char *name = figure->metric == SP_GATE_SPAN ? figure->name : sp_gate_metrics[figure->metric].name;

	sp_escape(out, SP_ESCAPE_PLAIN, name, strlen(name));
}

static void put_needed(struct sp_buffer *out, const struct sp_gate_judgement *j)
{
	if (j->needed)
		sp_buffer_printf(out, "; %zu runs a side would tell", j->needed);
	else
		sp_buffer_puts(out,
			"; no number of runs would tell, as occasions differ by as much: runs in turns would "
			"(--decide)");
}

static void put_change(struct sp_buffer *out, const struct sp_check_figure *f)
{
	const struct sp_gate_judgement *j = &f->judgement;

	sp_check_put_figure_name(out, f);
	sp_buffer_puts(out, " ");
	sp_check_put_value(out, f->metric, j->baseline);
	sp_buffer_puts(out, " → ");
	sp_check_put_value(out, f->metric, j->current);
	sp_buffer_printf(out, ", %+.1f %% (%+.1f to %+.1f)", 100 * (j->ratio - 1), 100 * (j->low - 1),
		100 * (j->high - 1));
}

static void put_above(struct sp_buffer *out, const struct sp_check_figure *f)
{
	sp_check_put_figure_name(out, f);
	sp_buffer_puts(out, " ");
	sp_check_put_value(out, f->metric, f->against_limit.current);
	sp_buffer_puts(out, " is above the limit of ");
	sp_check_put_value(out, f->metric, f->limit);
}

void sp_check_put_finding(struct sp_buffer *out, const struct sp_check_command *command,
	const struct sp_check_figure *f)
{
	switch (f->state) {
	case SP_FIGURE_ABOVE:
		put_above(out, f);
		if (f->judgement.answer == SP_GATE_WORSE) {
			sp_buffer_puts(out, "; ");
			put_change(out, f);
		}
		break;
	case SP_FIGURE_WORSE:
		put_change(out, f);
		sp_buffer_printf(out, "; %.0f %% are allowed", 100 * f->allowed);
		break;
	case SP_FIGURE_NOT_CODE:
		put_change(out, f);
		sp_buffer_printf(out, "; no failure: %s",
			command->code_text ? command->code_text : "the code did not change");
		break;
	case SP_FIGURE_NOISE:
		put_change(out, f);
		sp_buffer_puts(out, "; noise: it was worse than allowed in one of two batches of runs only");
		break;
	case SP_FIGURE_DISTURBED:
		if (f->against_limit.answer == SP_GATE_WORSE)
			put_above(out, f);
		else
			put_change(out, f);
		sp_buffer_printf(out, "; the machine was busy: threads waited for a CPU for %.0f %% of the time",
			100 * sp_check_busy(command));
		break;
	case SP_FIGURE_UNSURE:
		if (!f->current.count) {
			sp_check_put_figure_name(out, f);
			sp_buffer_puts(out, " was found in no run, so nobody looked at its limit of ");
			sp_check_put_value(out, f->metric, f->limit);
		} else if (f->against_limit.answer == SP_GATE_UNSURE) {
			sp_check_put_figure_name(out, f);
			sp_buffer_puts(out, " ");
			sp_check_put_value(out, f->metric, f->against_limit.current);
			sp_buffer_puts(out, " may be above the limit of ");
			sp_check_put_value(out, f->metric, f->limit);
			put_needed(out, &f->against_limit);
		} else {
			put_change(out, f);
			sp_buffer_printf(out, "; %.0f %% are allowed, and more is not excluded", 100 * f->allowed);
			put_needed(out, &f->judgement);
		}
		break;
	case SP_FIGURE_BETTER:
		put_change(out, f);
		break;
	default:
		break;
	}
}

size_t sp_check_count(const struct sp_check *check, enum sp_figure_state from, enum sp_figure_state to)
{
	size_t count = 0;

	for (size_t i = 0; i < check->command_count; i++)
		for (size_t k = 0; k < check->commands[i].figure_count; k++)
			count += check->commands[i].figures[k].state >= from &&
				check->commands[i].figures[k].state <= to;
	return count;
}

static void put_some(struct sp_buffer *out, size_t count, const char *what)
{
	if (count)
		sp_buffer_printf(out, ", %zu %s", count, what);
}

void sp_check_put_summary(struct sp_buffer *out, const struct sp_check *check)
{
	static const char *const words[] = {"Pass", "Pass, with doubts", "Fail"};
	size_t failing = 0, figures = sp_check_count(check, SP_FIGURE_ALONE, SP_FIGURE_ABOVE);

	for (size_t i = 0; i < check->command_count; i++)
		failing += check->commands[i].too_many_failed;
	sp_buffer_printf(out, "%s, grade %c, score %.1f of 100: %zu command%s, %zu figure%s", words[check->verdict],
		"ABCDF"[check->grade], check -> score, check -> command_count, check -> command_count == 1 ? "" : "s",
		figures, figures == 1 ? "" : "s");
	put_some(out, sp_check_count(check, SP_FIGURE_WORSE, SP_FIGURE_WORSE), "surely worse than allowed");
	put_some(out, sp_check_count(check, SP_FIGURE_ABOVE, SP_FIGURE_ABOVE), "above a limit");
	put_some(out, failing, failing == 1 ? "command whose runs failed" : "commands whose runs failed");
	put_some(out, sp_check_count(check, SP_FIGURE_BETTER, SP_FIGURE_BETTER), "better");
	put_some(out, sp_check_count(check, SP_FIGURE_NOT_CODE, SP_FIGURE_NOT_CODE), "worse without a change of code");
	put_some(out, sp_check_count(check, SP_FIGURE_NOISE, SP_FIGURE_NOISE), "noise");
	put_some(out, sp_check_count(check, SP_FIGURE_UNSURE, SP_FIGURE_DISTURBED), "not sure");
	sp_buffer_puts(out, ".");
}

static void put_sentence(struct sp_buffer *out, const char *before, const char *text)
{
	if (!text)
		return;
	sp_buffer_puts(out, before);
	sp_escape(out, SP_ESCAPE_PLAIN, text, strlen(text));
	sp_buffer_puts(out, "\n");
}

static void put_command(struct sp_buffer *out, const struct sp_check_command *c)
{
	sp_escape(out, SP_ESCAPE_PLAIN, c->config->name, strlen(c->config->name));
	sp_buffer_printf(out, ": %zu run%s", c->runs, c->runs == 1 ? "" : "s");
	if (c->failed)
		sp_buffer_printf(out, ", %zu failed (%s)%s", c->failed, c->failure ? c->failure : "",
			c->too_many_failed               ? ": more than allowed"
				: sp_check_all_failed(c) ? ": nothing is known of it"
							 : "");
	sp_buffer_puts(out, "\n");
	for (size_t k = 0; k < c->figure_count; k++) {
		const struct sp_check_figure *f = &c->figures[k];
		struct sp_buffer text = {0};

		sp_check_put_finding(&text, c, f);
		if (!text.length && f->current.count) {
			if (f->baseline.count) {
				put_change(&text, f);
			} else {
				sp_check_put_figure_name(&text, f);
				sp_buffer_puts(&text, " ");
				sp_check_put_value(&text, f->metric, sp_gate_median(&f->current));
			}
		}
		if (text.length)
			sp_buffer_printf(out, "  %-12s %s\n", sp_figure_words[f->state], text.data);
		sp_buffer_free(&text);
	}
	put_sentence(out, "  cause: ", c->cause);
	put_sentence(out, "  code: ", sp_check_has_suspects(c) ? c->code_text : NULL);
	put_sentence(out, "  in turns: ", c->decided);
}

void sp_check_text(struct sp_buffer *out, const struct sp_check *check)
{
	sp_check_put_summary(out, check);
	sp_buffer_puts(out, "\n");
	put_sentence(out, "", check->baseline_text);
	if (check->alarms && check->repeated)
		sp_buffer_printf(out, "%zu of %zu alarms sounded again when they were measured again.\n",
			check->persisted, check->alarms);
	for (size_t i = 0; i < check->command_count; i++)
		put_command(out, &check->commands[i]);
}
