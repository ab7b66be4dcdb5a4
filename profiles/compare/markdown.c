/* The comparison as a Markdown page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/compare/compare.h"
#include "profiles/compare/noise.h"
#include "profiles/compare/report.h"
#include "profiles/compare/stages.h"

#define ROWS_SHOWN 30u
#define OTHERS_SHOWN 20u

static void put_cell(struct sp_buffer *out, const char *text)
{
	sp_escape_name(out, SP_ESCAPE_CELL, text);
}

static void put_lines(struct sp_buffer *out, const char *title, const struct sp_sentences *lines)
{
	if (!lines->count)
		return;
	sp_buffer_printf(out, "## %s\n\n", title);
	for (size_t i = 0; i < lines->count; i++) {
		sp_buffer_puts(out, "- ");
		sp_escape(out, SP_ESCAPE_CELL, lines->items[i], strlen(lines->items[i]));
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "\n");
}

static void put_sentence(struct sp_buffer *out, void (*put)(struct sp_buffer *, const struct sp_comparison *),
	const struct sp_comparison *c)
{
	struct sp_buffer text = {0};

	put(&text, c);
	sp_escape(out, SP_ESCAPE_CELL, text.data, text.length);
	sp_buffer_free(&text);
}

static void put_p(struct sp_buffer *out, double p)
{
	if (p < 0.0001)
		sp_buffer_puts(out, "< 0.0001");
	else
		sp_buffer_printf(out, "%.4f", p);
}

static void put_totals(struct sp_buffer *out, const struct sp_comparison *c)
{
	sp_buffer_puts(out,
		"## Totals\n\n| Total | Baseline | Current | Change | Interval | p, corrected | Evidence | Spread | "
		"Factor |\n"
		"|:---|---:|---:|---:|:---|---:|:---|---:|---:|\n");
	for (unsigned m = 0; m < SP_METRICS; m++) {
		const struct sp_total *t = &c->totals[m];

		if (!t->compared)
			continue;
		sp_buffer_printf(out, "| %s | ", sp_metric_info[m].name);
		sp_compare_put_value(out, sp_metric_info[m].unit, t->baseline);
		sp_buffer_puts(out, " | ");
		sp_compare_put_value(out, sp_metric_info[m].unit, t->current);
		sp_buffer_printf(out, " | %+.1f%% | %+.1f to %+.1f | ", 100 * (t->ratio - 1), 100 * (t->low - 1),
			100 * (t->high - 1));
		put_p(out, t->corrected_p);
		sp_buffer_printf(out, " | %s | %.1f%% | ", sp_evidence_name(t->evidence), 100 * t->spread);
		if (m < SP_GATING)
			sp_buffer_printf(out, "%.3f |\n", t->factor);
		else
			sp_buffer_puts(out, "|\n");
	}
	sp_buffer_puts(out,
		"\nSpread is the standard deviation of single runs (of the logarithm); Factor is the growth that is "
		"certain. Rows without a factor inform, and do not affect the verdict.\n\n");
}

static void put_change(struct sp_buffer *out, const struct sp_span_change *t, enum sp_metric_unit unit)
{
	if (!t->tested) {
		sp_buffer_puts(out, " | |");
		return;
	}
	sp_buffer_puts(out, " ");
	sp_compare_put_value(out, unit, t->each[0]);
	sp_buffer_puts(out, " → ");
	sp_compare_put_value(out, unit, t->each[1]);
	sp_buffer_printf(out, " | %+.1f%% (%+.1f to %+.1f)%s%s |", 100 * (t->ratio - 1), 100 * (t->low - 1),
		100 * (t->high - 1), t->evidence ? ", " : "", t->evidence ? sp_evidence_name(t->evidence) : "");
}

static void put_p99(struct sp_buffer *out, const struct sp_compared_span *row)
{
	for (int side = 0; side < SP_SIDES; side++) {
		sp_buffer_puts(out, side ? " → " : " ");
		if (isfinite(row->p99[side]))
			sp_compare_put_value(out, SP_UNIT_NS, row->p99[side]);
		else
			sp_buffer_puts(out, "-");
	}
	sp_buffer_puts(out, " |");
}

/* What one of each name costs. */
static void put_spans(struct sp_buffer *out, const struct sp_comparison *c)
{
	size_t shown = 0;

	if (!c->span_count)
		return;
	sp_buffer_puts(out,
		"## Spans\n\nWhat one costs, however many there are.\n\n"
		"| Span | Count | CPU each | Change | Time each | Change | p99 | Allocated each | Change | Most in |\n"
		"|:---|---:|---:|:---|---:|:---|---:|---:|:---|:---|\n");
	for (size_t i = 0; i < c->span_count && shown < ROWS_SHOWN; i++) {
		const struct sp_compared_span *row = &c->spans[i];

		if (!row->asked)
			continue;
		shown++;
		sp_buffer_puts(out, "| ");
		put_cell(out, row->name);
		sp_buffer_printf(out, " | %.0f → %.0f |", row->count[0], row->count[1]);
		put_change(out, &row->changes[SP_SPAN_CPU], SP_UNIT_NS);
		put_change(out, &row->changes[SP_SPAN_WALL], SP_UNIT_NS);
		put_p99(out, row);
		put_change(out, &row->changes[SP_SPAN_BYTES], SP_UNIT_BYTES);
		sp_buffer_puts(out, " ");
		put_cell(out, row->function ? row->function : "");
		sp_buffer_puts(out, " |\n");
	}
	sp_buffer_puts(out, "\n");
}

static void put_location(struct sp_buffer *out, const struct sp_row *row)
{
	if (row->file)
		put_cell(out, row->file);
	if (row->file && row->line)
		sp_buffer_printf(out, ":%u", row->line);
}

static void put_row(struct sp_buffer *out, const struct sp_comparison *c, const struct sp_row *row)
{
	enum sp_metric_unit unit = sp_metric_info[sp_row_metric(row->kind)].unit;
	double whole = c->row_totals[row->kind][SP_BASELINE];
	const double values[] = {row->change, row->low, row->high, row->baseline, row->current};
	static const char *const after[] = {" | ", " to ", " | ", " → ", " | "};

	sp_buffer_puts(out, "| ");
	put_cell(out, row->function);
	if (row->old_function) {
		sp_buffer_puts(out, " (was ");
		put_cell(out, row->old_function);
		sp_buffer_puts(out, ")");
	}
	if (row->within) {
		sp_buffer_puts(out, ", within ");
		put_cell(out, row->within);
	}
	if (row->code == SP_CODE_SAME && row->state == SP_ROW_REGRESSION && c->code != SP_CODE_SAME)
		sp_buffer_puts(out, ", code unchanged with all it calls");
	sp_buffer_printf(out, " | %s | %+.1f%% | ",
		row->kind == SP_ROW_CPU ? "self time" : sp_metric_info[sp_row_metric(row->kind)].name,
		whole > 0 ? 100 * row->change / whole : 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		sp_compare_put_value(out, unit, values[i]);
		sp_buffer_puts(out, after[i]);
	}
	put_p(out, row->q);
	sp_buffer_printf(out, " | %s | ", sp_evidence_name(row->evidence));
	put_location(out, row);
	sp_buffer_puts(out, " | ");
	put_cell(out, row->module);
	sp_buffer_puts(out, " |\n");
}

static void put_rows(struct sp_buffer *out, const struct sp_comparison *c, enum sp_row_state state, const char *title,
	const char *none)
{
	size_t count;
	const struct sp_row **rows = sp_compare_pick(c, state, &count);

	if (!count && !none) {
		free(rows);
		return;
	}
	sp_buffer_printf(out, "## %s\n\n", title);
	if (!count)
		sp_buffer_printf(out, "%s\n", none);
	else
		sp_buffer_puts(out,
			"| Function | Of | Of total | Change | Interval | Baseline → current | q | Evidence | Location "
			"| "
			"Module |\n|:---|:---|---:|---:|:---|:---|---:|:---|:---|:---|\n");
	for (size_t i = 0; i < count && i < ROWS_SHOWN; i++)
		put_row(out, c, rows[i]);
	sp_put_cut(out, count < ROWS_SHOWN ? count : ROWS_SHOWN, count, "rows", "--format json");
	sp_buffer_puts(out, "\n");
	free(rows);
}

/* A total that grew where no row stands out: what grew most, sure or not. */
static void put_suspects(struct sp_buffer *out, const struct sp_comparison *c)
{
	size_t count, shown = 0;
	const struct sp_row **rows = sp_compare_pick(c, SP_ROW_STEADY, &count);

	for (size_t i = 0; i < count && shown < 3 && c->score < 100; i++) {
		const struct sp_total *total = &c->totals[sp_row_metric(rows[i]->kind)];

		if (!rows[i]->tested || rows[i]->change <= 0 || total->factor <= 1)
			continue;
		sp_buffer_puts(out, shown++ ? ", " : "Beyond those above grew most, not sure by itself: ");
		put_cell(out, rows[i]->function);
		sp_buffer_puts(out, " by ");
		sp_compare_put_value(out, sp_metric_info[sp_row_metric(rows[i]->kind)].unit, rows[i]->change);
	}
	if (shown)
		sp_buffer_puts(out, ".\n\n");
	free(rows);
}

static void put_other(struct sp_buffer *out, const struct sp_comparison *c, const struct sp_row *row)
{
	enum sp_metric_unit unit = sp_metric_info[sp_row_metric(row->kind)].unit;

	sp_buffer_puts(out, "- ");
	put_cell(out, row->function);
	if (row->old_function) {
		sp_buffer_puts(out, " (was ");
		put_cell(out, row->old_function);
		sp_buffer_puts(out, ")");
	}
	sp_buffer_printf(out,
		", %s: ", row->kind == SP_ROW_CPU ? "self time" : sp_metric_info[sp_row_metric(row->kind)].name);
	sp_compare_put_value(out, unit, row->presence == SP_ROW_DISAPPEARED ? row->baseline : row->current);
	sp_buffer_printf(out, ", %.1f%%\n",
		100 * row->share[row->presence == SP_ROW_DISAPPEARED ? SP_BASELINE : SP_CURRENT]);
	(void)c;
}

static double presence_size(const struct sp_row *row)
{
	return row->share[row->presence == SP_ROW_DISAPPEARED ? SP_BASELINE : SP_CURRENT];
}

static int by_presence_size(const void *a, const void *b)
{
	double x = presence_size(*(const struct sp_row *const *)a), y = presence_size(*(const struct sp_row *const *)b);

	return (x < y) - (x > y);
}

/* Rows below the share that is tested come and go by the chance of sampling: they are only counted. */
static void put_presence(struct sp_buffer *out, const struct sp_comparison *c, enum sp_row_presence presence,
	const char *title)
{
	const struct sp_row **rows = sp_alloc(c->row_count + 1, sizeof(*rows));
	size_t count = 0, small = 0;

	for (size_t i = 0; i < c->row_count; i++) {
		const struct sp_row *row = &c->rows[i];

		if (row->presence != presence || row->gone || !c->totals[sp_row_metric(row->kind)].compared)
			continue;
		if (presence_size(row) >= SP_COMPARE_SHARE)
			rows[count++] = row;
		else
			small++;
	}
	qsort(rows, count, sizeof(*rows), by_presence_size);
	if (count + small)
		sp_buffer_printf(out, "## %s\n\n", title);
	for (size_t i = 0; i < count && i < OTHERS_SHOWN; i++)
		put_other(out, c, rows[i]);
	if (count > OTHERS_SHOWN)
		sp_buffer_printf(out, "- %zu more of 1%% or more, see --format json\n", count - OTHERS_SHOWN);
	if (small)
		sp_buffer_printf(out, "- %zu%s below 1%%, see --format json\n", small, count ? " more" : "");
	if (count + small)
		sp_buffer_puts(out, "\n");
	free(rows);
}

static void put_files(struct sp_buffer *out, const struct sp_comparison *c)
{
	static const char *const sides[] = {"Baseline", "Current"};

	sp_buffer_puts(out, "## Inputs\n\n");
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < c->input->count[side]; i++) {
			const struct sp_profile *p = c->input->profiles[side][i];
			const char *build = sp_profile_fact(p, "build_id"), *commit = sp_profile_fact(p, "git_commit");

			sp_buffer_printf(out, "- %s: ", sides[side]);
			sp_escape(out, SP_ESCAPE_CELL, c->input->names[side][i], strlen(c->input->names[side][i]));
			sp_buffer_puts(out, build ? ", build " : "");
			put_cell(out, build ? build : "");
			sp_buffer_puts(out, commit ? ", commit " : "");
			put_cell(out, commit ? commit : "");
			sp_buffer_puts(out, "\n");
		}
	if (c->input->noise)
		sp_buffer_printf(out, "- Noise: calibrated from %u runs\n", c->input->noise->runs);
	sp_buffer_puts(out, "\n");
}

void sp_compare_markdown(struct sp_buffer *out, const struct sp_comparison *c)
{
	sp_buffer_puts(out, "# Comparison of ");
	put_cell(out, c->program);
	sp_buffer_puts(out, "\n\n**Verdict:** ");
	put_sentence(out, sp_compare_verdict_text, c);
	sp_buffer_puts(out, "\n\n**Score:** ");
	put_sentence(out, sp_compare_score_text, c);
	sp_buffer_puts(out, "\n\n");
	put_lines(out, "Reasons", &c->reasons);
	put_totals(out, c);
	put_spans(out, c);
	put_rows(out, c, SP_ROW_REGRESSION, c->verdict == SP_VERDICT_REGRESSION ? "Regressions" : "Costs more",
		"The evidence supports none.\n");
	put_suspects(out, c);
	put_rows(out, c, SP_ROW_IMPROVEMENT, "Improvements", "The evidence supports none.\n");
	put_rows(out, c, SP_ROW_SHIFT, "Cost Shifts", NULL);
	put_presence(out, c, SP_ROW_APPEARED, "Appeared");
	put_presence(out, c, SP_ROW_DISAPPEARED, "Disappeared");
	put_presence(out, c, SP_ROW_RENAMED, "Renamed");
	put_lines(out, "Not Compared", &c->not_compared);
	put_lines(out, "Comparability", &c->warnings);
	put_files(out, c);
}
