/* What is behind a difference: functions, places that allocate, locks and calls that are waited for, and spans, as `smartprof compare` finds
 * them. */
#include "tools/monitor/behind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/compare/report.h"
#include "tools/compare/compare.h"

#define SHOWN 5
#define SPANS_SHOWN 3

static void load(struct sp_side_files *side, const struct sp_monitor_series *series)
{
	for (size_t i = 0; i < series->count; i++)
		if (series->runs[i]->profile_path && sp_monitor_run_is_good(series->runs[i]))
			sp_side_add(side, series->runs[i]->profile_path);
}

static double change(const struct sp_comparison *c, const struct sp_row *row)
{
	return fabs(sp_compare_row_growth(c, row));
}

static void put_amount(struct sp_buffer *out, const struct sp_row *row, double value)
{
	if (row->kind == SP_ROW_CPU)
		sp_put_duration(out, sp_whole(value));
	else
		sp_put_size(out, sp_whole(value));
}

static void put_row(struct sp_buffer *out, const struct sp_row *row)
{
	static const char *const kinds[SP_ROW_KINDS] = {"CPU", "at the peak", "allocated", "in use"};
	static const char *const sure[] = {"may be chance", "candidate", "confirmed"};

	sp_buffer_puts(out, "    ");
	sp_escape(out, SP_ESCAPE_PLAIN, row->function, strlen(row->function));
	sp_buffer_puts(out, row->change < 0 ? ": -" : ": +");
	put_amount(out, row, fabs(row->change));
	sp_buffer_printf(out, " %s (", kinds[row->kind]);
	put_amount(out, row, row->baseline);
	sp_buffer_puts(out, " before, ");
	put_amount(out, row, row->current);
	sp_buffer_printf(out, " now), %s\n", sure[row->evidence]);
}

static void put_rows(struct sp_buffer *out, const struct sp_comparison *c)
{
	const struct sp_row *rows[SHOWN];
	size_t count = sp_compare_weightiest(c, change, SP_COMPARE_LEAST, rows, SHOWN);

	for (size_t i = 0; i < count; i++)
		put_row(out, rows[i]);
}

/* Of the time that a run takes, a part that is worth naming. */
static double least_wait(const struct sp_comparison *c)
{
	const struct sp_total *wall = &c->totals[SP_METRIC_WALL];

	return wall->compared ? SP_COMPARE_LEAST * fmin(wall->baseline, wall->current) : 0;
}

static void put_waits(struct sp_buffer *out, const struct sp_comparison *c)
{
	static const char *const signs[SP_SIDES] = {[SP_BASELINE] = "-", [SP_CURRENT] = "+"};

	for (int side = SP_SIDES; side-- > 0;) {
		struct sp_buffer text = {0};

		if (sp_compare_waits_put(c, (enum sp_side)side, least_wait(c), &text)) {
			sp_buffer_printf(out, "    waits: %s", signs[side]);
			sp_escape(out, SP_ESCAPE_PLAIN, text.data, text.length);
			sp_buffer_puts(out, "\n");
		}
		sp_buffer_free(&text);
	}
}

/* CPU time where that differs for sure, else time; NULL: neither does. */
static const struct sp_span_change *change_of(const struct sp_compared_span *span)
{
	const struct sp_span_change *cpu = &span->changes[SP_SPAN_CPU], *wall = &span->changes[SP_SPAN_WALL];

	return cpu->evidence ? cpu : wall->evidence ? wall : NULL;
}

static double amount_of(const struct sp_compared_span *span)
{
	const struct sp_span_change *t = change_of(span);

	return t ? fabs(t->each[SP_CURRENT] - t->each[SP_BASELINE]) * span->count[SP_CURRENT] : 0;
}

static void put_span(struct sp_buffer *out, const struct sp_compared_span *span)
{
	const struct sp_span_change *t = change_of(span);

	sp_buffer_puts(out, "    span ");
	sp_escape(out, SP_ESCAPE_PLAIN, span->name, strlen(span->name));
	sp_buffer_puts(out, ": one takes ");
	sp_put_duration(out, sp_whole(t->each[SP_CURRENT]));
	sp_buffer_puts(out, t == &span->changes[SP_SPAN_CPU] ? " of CPU time instead of " : " instead of ");
	sp_put_duration(out, sp_whole(t->each[SP_BASELINE]));
	sp_buffer_printf(out, ", %s", sp_evidence_name(t->evidence));
	if (span->function) {
		sp_buffer_puts(out, "; most in ");
		sp_escape(out, SP_ESCAPE_PLAIN, span->function, strlen(span->function));
	}
	sp_buffer_puts(out, "\n");
}

static void put_spans(struct sp_buffer *out, const struct sp_comparison *c)
{
	bool *shown = sp_alloc(c->span_count + 1, sizeof(*shown));

	for (unsigned n = 0; n < SPANS_SHOWN; n++) {
		size_t best = c->span_count;

		for (size_t i = 0; i < c->span_count; i++)
			if (!shown[i] && amount_of(&c->spans[i]) > 0 &&
				(best == c->span_count || amount_of(&c->spans[i]) > amount_of(&c->spans[best])))
				best = i;
		if (best == c->span_count)
			break;
		shown[best] = true;
		put_span(out, &c->spans[best]);
	}
	free(shown);
}

void sp_behind_put(struct sp_buffer *out, const struct sp_monitor_series *first, const struct sp_monitor_series *second)
{
	struct sp_side_files sides[SP_SIDES] = {0};
	struct sp_comparison_input input = {.gate = {.fail_below = NAN, .fail_on_regression = NAN}};

	load(&sides[SP_BASELINE], first);
	load(&sides[SP_CURRENT], second);
	for (unsigned m = 0; m < SP_GATING; m++)
		input.gate.most[m] = NAN;
	for (int side = 0; side < SP_SIDES; side++) {
		input.profiles[side] = sides[side].profiles;
		input.names[side] = sides[side].names;
		input.count[side] = sides[side].count;
	}
	if (sides[SP_BASELINE].count && sides[SP_CURRENT].count) {
		struct sp_comparison *c = sp_compare(&input);

		sp_buffer_printf(out, "  behind it, of %zu and %zu profiles:\n", sides[SP_BASELINE].count,
			sides[SP_CURRENT].count);
		put_rows(out, c);
		put_waits(out, c);
		put_spans(out, c);
		sp_comparison_free(c);
	} else {
		sp_buffer_puts(out,
			"  behind it: unknown, as a run left no profile (too short, or a program that cannot "
			"have the agent)\n");
	}
	sp_side_free(&sides[SP_BASELINE]);
	sp_side_free(&sides[SP_CURRENT]);
}
