/* What every report of a comparison says: verdict, score, values; and the report for terminals. */
#include "profiles/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/compare/report.h"
#include "profiles/compare/stages.h"

#define ROWS_SHOWN 5u

const char *sp_evidence_name(enum sp_evidence evidence)
{
	static const char *const names[] = {"none", "candidate", "confirmed"};

	return names[evidence];
}

void sp_compare_put_value(struct sp_buffer *out, enum sp_metric_unit unit, double value)
{
	uint64_t size = (uint64_t)fmin(fabs(value), 1e18);

	if (value < 0)
		sp_buffer_puts(out, "-");
	if (unit == SP_UNIT_NS)
		sp_put_duration(out, size);
	else if (unit == SP_UNIT_BYTES)
		sp_put_size(out, size);
	else
		sp_buffer_printf(out, "%llu", (unsigned long long)size);
}

static int by_size(const void *a, const void *b)
{
	const struct sp_row *x = *(const struct sp_row *const *)a, *y = *(const struct sp_row *const *)b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (fabs(x->change) < fabs(y->change)) - (fabs(x->change) > fabs(y->change));
}

const struct sp_row **sp_compare_pick(const struct sp_comparison *c, enum sp_row_state state, size_t *count)
{
	const struct sp_row **picked = sp_alloc(c->row_count + 1, sizeof(*picked));

	*count = 0;
	for (size_t i = 0; i < c->row_count; i++)
		if (c->rows[i].state == state && !c->rows[i].gone)
			picked[(*count)++] = &c->rows[i];
	qsort(picked, *count, sizeof(*picked), by_size);
	return picked;
}

double sp_compare_row_growth(const struct sp_comparison *c, const struct sp_row *row)
{
	double whole = fmax(c->row_totals[row->kind][SP_BASELINE], c->row_totals[row->kind][SP_CURRENT]);

	return row->gone || row->state == SP_ROW_SHIFT || whole <= 0 ? 0 : row->change / whole;
}

size_t sp_compare_weightiest(const struct sp_comparison *c, sp_row_weight_fn *weight, double least,
	const struct sp_row **rows, size_t most)
{
	size_t count = 0, at;

	for (size_t i = 0; i < c->row_count; i++) {
		const struct sp_row *row = &c->rows[i];

		if (weight(c, row) < least)
			continue;
		for (at = count; at > 0 && weight(c, row) > weight(c, rows[at - 1]); at--)
			if (at < most)
				rows[at] = rows[at - 1];
		if (at < most)
			rows[at] = row;
		count += count < most;
	}
	return count;
}

static const char *verdict_word(const struct sp_comparison *c)
{
	switch (c->verdict) {
	case SP_VERDICT_PASS:
		return "No regression";
	case SP_VERDICT_REGRESSION:
		return "Regression";
	default:
		return "Not enough evidence";
	}
}

static void put_function(struct sp_buffer *out, const struct sp_row *row)
{
	sp_escape_name(out, SP_ESCAPE_PLAIN, row->function);
	if (row->module[0]) {
		sp_buffer_puts(out, " (");
		sp_escape_name(out, SP_ESCAPE_PLAIN, strcmp(row->module, "(program)") == 0 ? "program" : row->module);
		sp_buffer_puts(out, ")");
	}
}

/* The largest rise; where totals have certainly grown, the largest among the rows that make up one of them. NULL:
 * none. */
static const struct sp_row *largest_rise(const struct sp_comparison *c)
{
	size_t count;
	const struct sp_row **rows = sp_compare_pick(c, SP_ROW_REGRESSION, &count), *found = NULL;

	for (size_t i = 0; i < count && !found; i++) {
		enum sp_metric m = sp_row_metric(rows[i]->kind);
		bool grew = m < SP_GATING && c->totals[m].evidence && c->totals[m].ratio > 1;

		if (c->score == 100 || grew)
			found = rows[i];
	}
	free(rows);
	return found;
}

/* Where it came from: the largest rise that counts, or that nothing stands out. */
static void put_cause(struct sp_buffer *out, const struct sp_comparison *c)
{
	const struct sp_row *row = largest_rise(c);

	if (row) {
		sp_buffer_puts(out, c->score < 100 ? " Most of it is in " : " No total is sure to have grown, but ");
		put_function(out, row);
		sp_buffer_printf(out, "%s, %s: ", c->score < 100 ? "" : " costs more", sp_evidence_name(row->evidence));
		sp_compare_put_value(out, sp_metric_info[sp_row_metric(row->kind)].unit, row->baseline);
		sp_buffer_puts(out, " became ");
		sp_compare_put_value(out, sp_metric_info[sp_row_metric(row->kind)].unit, row->current);
		sp_buffer_puts(out, ".");
	} else if (c->score < 100) {
		sp_buffer_puts(out, " No single function or heap site stands out.");
	} else {
		sp_buffer_puts(out, " No function or heap site is sure to cost more.");
	}
}

/* The span that grew most, and the function in it. */
static void put_spans(struct sp_buffer *out, const struct sp_comparison *c)
{
	const struct sp_compared_span *worst = NULL;

	for (size_t i = 0; i < c->span_count; i++) {
		const struct sp_span_change *t = &c->spans[i].changes[SP_SPAN_CPU];

		if (t->evidence && t->ratio > 1 && (!worst || t->ratio > worst->changes[SP_SPAN_CPU].ratio))
			worst = &c->spans[i];
	}
	if (!worst) {
		sp_buffer_puts(out, ". One span of those asked about is not sure to use more CPU time.");
		return;
	}
	sp_buffer_puts(out, "; CPU time of a span ");
	sp_escape(out, SP_ESCAPE_PLAIN, worst->name, strlen(worst->name));
	sp_buffer_printf(out, " %+.1f %%, %s.", 100 * (worst->changes[SP_SPAN_CPU].ratio - 1),
		sp_evidence_name(worst->changes[SP_SPAN_CPU].evidence));
	if (!worst->function)
		return;
	sp_buffer_puts(out, " Most of it is in ");
	sp_escape_name(out, SP_ESCAPE_PLAIN, worst->function);
	sp_buffer_puts(out, ": ");
	sp_compare_put_value(out, SP_UNIT_NS, worst->function_each[0]);
	sp_buffer_puts(out, " became ");
	sp_compare_put_value(out, SP_UNIT_NS, worst->function_each[1]);
	sp_buffer_puts(out, " each.");
}

void sp_compare_verdict_text(struct sp_buffer *out, const struct sp_comparison *c)
{
	sp_buffer_printf(out, "%s: ", verdict_word(c));
	sp_escape_name(out, SP_ESCAPE_PLAIN, c->program);
	sp_buffer_printf(out, ", %zu baseline and %zu current %s", c->input->count[0], c->input->count[1],
		c->input->count[0] + c->input->count[1] > 2 ? "runs" : "run");
	if (c->input->span) {
		put_spans(out, c);
		return;
	}
	for (unsigned m = 0, said = 0; m < SP_GATING; m++) {
		const struct sp_total *t = &c->totals[m];

		if (!t->compared || !t->evidence)
			continue;
		sp_buffer_printf(out, "%s %s %+.1f %%", said++ ? "," : ";", sp_metric_info[m].name,
			100 * (t->ratio - 1));
	}
	sp_buffer_puts(out, ".");
	put_cause(out, c);
}

/* "Score 71.2 (C): 100 / r, r = CPU 1.97^50 · …"; what has no growth is left out. */
void sp_compare_score_text(struct sp_buffer *out, const struct sp_comparison *c)
{
	double weight = 0;

	for (unsigned m = 0; m < SP_GATING; m++)
		weight += c->totals[m].compared ? c->totals[m].weight : 0;
	sp_buffer_printf(out, "Score %.1f of 100, grade %c: 100 / %.3f, the %s growth that is sure", c->score,
		"ABCDF"[c->grade], 100 / c->score, c->input->span ? "largest" : "mean");
	if (c->input->span) {
		sp_buffer_puts(out, " of what a span costs.");
		return;
	}
	for (unsigned m = 0; m < SP_GATING; m++) {
		const struct sp_total *t = &c->totals[m];

		if (t->compared && weight > 0)
			sp_buffer_printf(out, "%s%s × %.3f (weight %.0f %%)", m ? ", " : ": ", sp_metric_info[m].name,
				t->factor, 100 * t->weight / weight);
	}
	sp_buffer_puts(out, ".");
}

static void put_total(struct sp_buffer *out, const struct sp_comparison *c, enum sp_metric m)
{
	const struct sp_total *t = &c->totals[m];

	if (!t->compared)
		return;
	sp_buffer_printf(out, "  %-14s ", sp_metric_info[m].name);
	sp_compare_put_value(out, sp_metric_info[m].unit, t->baseline);
	sp_buffer_puts(out, " -> ");
	sp_compare_put_value(out, sp_metric_info[m].unit, t->current);
	if (t->same)
		sp_buffer_puts(out, "  the same\n");
	else
		sp_buffer_printf(out, "  %+.1f %% (%+.1f to %+.1f) %s\n", 100 * (t->ratio - 1), 100 * (t->low - 1),
			100 * (t->high - 1), t->evidence ? sp_evidence_name(t->evidence) : "");
}

static void put_row(struct sp_buffer *out, const struct sp_row *row)
{
	enum sp_metric m = sp_row_metric(row->kind);

	put_function(out, row);
	sp_buffer_printf(out, ": %s ", row->kind == SP_ROW_CPU ? "self time" : sp_metric_info[m].name);
	sp_compare_put_value(out, sp_metric_info[m].unit, row->baseline);
	sp_buffer_puts(out, " -> ");
	sp_compare_put_value(out, sp_metric_info[m].unit, row->current);
	sp_buffer_printf(out, ", %s", sp_evidence_name(row->evidence));
}

static void put_rows(struct sp_buffer *out, const struct sp_comparison *c, enum sp_row_state state, const char *title)
{
	size_t count;
	const struct sp_row **rows = sp_compare_pick(c, state, &count);

	if (count)
		sp_buffer_printf(out, "%s\n", title);
	for (size_t i = 0; i < count && i < ROWS_SHOWN; i++) {
		sp_buffer_puts(out, "  ");
		put_row(out, rows[i]);
		sp_buffer_puts(out, "\n");
	}
	if (count > ROWS_SHOWN)
		sp_buffer_printf(out, "  ... %zu more, see --format markdown\n", count - ROWS_SHOWN);
	free(rows);
}

static void put_lines(struct sp_buffer *out, const char *title, const struct sp_sentences *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		sp_buffer_puts(out, title);
		sp_escape(out, SP_ESCAPE_PLAIN, lines->items[i], strlen(lines->items[i]));
		sp_buffer_puts(out, "\n");
	}
}

void sp_compare_text(struct sp_buffer *out, const struct sp_comparison *c)
{
	sp_compare_verdict_text(out, c);
	sp_buffer_puts(out, "\n");
	sp_compare_score_text(out, c);
	sp_buffer_puts(out, "\n");
	put_lines(out, "", &c->reasons);
	for (unsigned m = 0; m < SP_METRICS; m++)
		put_total(out, c, m);
	put_rows(out, c, SP_ROW_REGRESSION, c->verdict == SP_VERDICT_REGRESSION ? "regressions:" : "costs more:");
	put_rows(out, c, SP_ROW_IMPROVEMENT, "improvements:");
	put_rows(out, c, SP_ROW_SHIFT, "cost shifts:");
	put_lines(out, "not compared: ", &c->not_compared);
	put_lines(out, "warning: ", &c->warnings);
}

/* --- GitHub's workflow commands: one line each, % and line ends escaped (docs.github.com, "Workflow commands
 * for GitHub Actions") */

/* property: of a command, where : and , act too. */
static void put_escaped(struct sp_buffer *out, const char *text, bool property)
{
	struct sp_buffer plain = {0};

	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	for (size_t i = 0; i < plain.length; i++)
		if (plain.data[i] == '%' || (property && strchr(":,", plain.data[i])))
			sp_buffer_printf(out, "%%%02X", (unsigned)plain.data[i]);
		else
			sp_buffer_add(out, plain.data + i, 1);
	sp_buffer_free(&plain);
}

static void put_command(struct sp_buffer *out, const char *command, const char *text)
{
	sp_buffer_printf(out, "::%s title=smartprof compare::", command);
	put_escaped(out, text, false);
	sp_buffer_puts(out, "\n");
}

/* The path below the directory, or NULL. */
static const char *below(const char *directory, const char *path)
{
	size_t n = directory ? strlen(directory) : 0;

	while (n && directory[n - 1] == '/')
		n--;
	return n && path && strncmp(path, directory, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* At the line that grew, where that is in the repository. */
static void put_annotations(struct sp_buffer *out, const struct sp_comparison *c)
{
	size_t count;
	const struct sp_row **rows = sp_compare_pick(c, SP_ROW_REGRESSION, &count);

	for (size_t i = 0, put = 0; i < count && put < ROWS_SHOWN; i++) {
		const char *file = below(c->input->sources, rows[i]->file);
		struct sp_buffer text = {0};

		if (!file)
			continue;
		put++;
		sp_buffer_puts(out, "::warning file=");
		put_escaped(out, file, true);
		sp_buffer_printf(out, ",line=%u,title=smartprof compare::", rows[i]->line ? rows[i]->line : 1);
		put_row(&text, rows[i]);
		put_escaped(out, text.data, false);
		sp_buffer_puts(out, "\n");
		sp_buffer_free(&text);
	}
	free(rows);
}

void sp_compare_github(struct sp_buffer *out, const struct sp_comparison *c)
{
	struct sp_buffer text = {0};

	sp_compare_verdict_text(&text, c);
	sp_buffer_puts(&text, " ");
	sp_compare_score_text(&text, c);
	put_command(out,
		c->verdict == SP_VERDICT_REGRESSION        ? "error"
			: c->verdict == SP_VERDICT_UNKNOWN ? "warning"
							   : "notice",
		text.data);
	for (size_t i = 0; i < c->reasons.count; i++)
		put_command(out, c->verdict == SP_VERDICT_REGRESSION ? "error" : "warning", c->reasons.items[i]);
	for (size_t i = 0; i < c->warnings.count; i++)
		put_command(out, "warning", c->warnings.items[i]);
	put_annotations(out, c);
	sp_buffer_free(&text);
}
