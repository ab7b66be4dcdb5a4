/* The comparison for programs. docs/COMPARE.md has the schema: fields may be added, none change their meaning
 * without a new number. What is not known is null. */
#include "profiles/compare/compare.h"

#include <stdlib.h>

#include "profiles/base/json.h"
#include "profiles/compare/noise.h"
#include "profiles/compare/report.h"
#include "profiles/compare/stages.h"

static double in_units(enum sp_metric_unit unit, double value)
{
	return unit == SP_UNIT_NS ? value / 1e9 : value;
}

static const char *unit_name(enum sp_metric_unit unit)
{
	return unit == SP_UNIT_NS ? "seconds" : unit == SP_UNIT_BYTES ? "bytes" : "number";
}

static json_t *total_json(const struct sp_comparison *c, enum sp_metric m)
{
	const struct sp_total *t = &c->totals[m];
	enum sp_metric_unit unit = sp_metric_info[m].unit;

	if (!t->compared)
		return json_pack("{s:s, s:b, s:o}", "metric", sp_metric_info[m].key, "compared", 0, "why_not",
			sp_json_text(t->why_not));
	return json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:I}", "metric",
		sp_metric_info[m].key, "compared", 1, "unit", unit_name(unit), "baseline",
		sp_json_number(in_units(unit, t->baseline)), "current", sp_json_number(in_units(unit, t->current)),
		"ratio", sp_json_number(t->ratio), "ratio_low", sp_json_number(t->low), "ratio_high",
		sp_json_number(t->high), "p", sp_json_number(t->p), "p_corrected", sp_json_number(t->corrected_p),
		"spread", sp_json_number(t->spread), "evidence", sp_evidence_name(t->evidence), "factor",
		sp_json_number(t->factor), "weight", sp_json_number(t->weight), "method",
		t->exact ? "mann-whitney" : "noise-floor", "runs_needed", (json_int_t)t->runs_needed);
}

static json_t *span_json(const struct sp_compared_span *row)
{
	static const char *const keys[] = {
		[SP_SPAN_CPU] = "cpu", [SP_SPAN_WALL] = "wall", [SP_SPAN_BYTES] = "allocated"};
	json_t *item = json_pack("{s:o, s:b, s:f, s:f, s:o, s:o, s:o}", "span", sp_json_text(row->name), "asked",
		(int)row->asked, "baseline_count", row->count[0], "current_count", row->count[1], "baseline_p99",
		sp_json_number(row->p99[0] / 1e9), "current_p99", sp_json_number(row->p99[1] / 1e9), "function",
		sp_json_text(row->function));

	for (unsigned m = 0; item && m < SP_SPAN_METRICS; m++) {
		const struct sp_span_change *t = &row->changes[m];
		enum sp_metric_unit unit = m == SP_SPAN_BYTES ? SP_UNIT_BYTES : SP_UNIT_NS;

		json_object_set_new(item, keys[m],
			t->tested ? json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "baseline",
					    sp_json_number(in_units(unit, t->each[0])), "current",
					    sp_json_number(in_units(unit, t->each[1])), "ratio",
					    sp_json_number(t->ratio), "ratio_low", sp_json_number(t->low), "ratio_high",
					    sp_json_number(t->high), "p_corrected", sp_json_number(t->p), "evidence",
					    sp_evidence_name(t->evidence))
				  : json_null());
	}
	return item;
}

static json_t *code_json(enum sp_code code)
{
	return code == SP_CODE_UNKNOWN ? json_null() : json_string(code == SP_CODE_SAME ? "same" : "changed");
}

static json_t *row_json(const struct sp_row *row)
{
	static const char *const states[] = {"steady", "regression", "improvement", "shift"};
	static const char *const presences[] = {"both", "appeared", "disappeared", "renamed"};
	enum sp_metric m = sp_row_metric(row->kind);
	enum sp_metric_unit unit = sp_metric_info[m].unit;
	json_t *item = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:s, s:b}", "metric",
		sp_metric_info[m].key, "function", sp_json_text(row->function), "was", sp_json_text(row->old_function),
		"within", sp_json_text(row->within), "module", sp_json_text(row->module), "file",
		sp_json_text(row->file), "line", (json_int_t)row->line, "state", states[row->state], "presence",
		presences[row->presence], "evidence", sp_evidence_name(row->evidence), "tested", (int)row->tested);
	const struct {
		const char *key;
		double value;
	} numbers[] = {{"baseline", in_units(unit, row->baseline)}, {"current", in_units(unit, row->current)},
		{"change", in_units(unit, row->change)}, {"baseline_share", row->share[SP_BASELINE]},
		{"current_share", row->share[SP_CURRENT]}};

	json_object_set_new(item, "code", code_json(row->code));

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_set_new(item, numbers[i].key, sp_json_number(numbers[i].value));
	if (row->tested) {
		json_object_set_new(item, "change_low", sp_json_number(in_units(unit, row->low)));
		json_object_set_new(item, "change_high", sp_json_number(in_units(unit, row->high)));
		json_object_set_new(item, "p", sp_json_number(row->p));
		json_object_set_new(item, "q", sp_json_number(row->q));
		json_object_set_new(item, "p_holm", sp_json_number(row->holm));
	}
	return item;
}

static json_t *lines_json(const struct sp_sentences *lines)
{
	json_t *array = json_array();

	for (size_t i = 0; i < lines->count; i++)
		json_array_append_new(array, sp_json_text(lines->items[i]));
	return array;
}

static json_t *files_json(const struct sp_comparison *c, enum sp_side side)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->input->count[side]; i++)
		json_array_append_new(array, sp_json_text(c->input->names[side][i]));
	return array;
}

static const char *verdict_name(enum sp_verdict verdict)
{
	return verdict == SP_VERDICT_PASS ? "pass" : verdict == SP_VERDICT_REGRESSION ? "regression" : "unknown";
}

json_t *sp_compare_json_tree(const struct sp_comparison *c)
{
	json_t *totals = json_array(), *rows = json_array(), *spans = json_array(), *root;
	char grade[2] = {"ABCDF"[c->grade], '\0'};

	for (unsigned m = 0; m < SP_METRICS; m++)
		json_array_append_new(totals, total_json(c, m));
	for (size_t i = 0; i < c->row_count; i++)
		if (!c->rows[i].gone && c->totals[sp_row_metric(c->rows[i].kind)].compared)
			json_array_append_new(rows, row_json(&c->rows[i]));
	for (size_t i = 0; i < c->span_count; i++)
		json_array_append_new(spans, span_json(&c->spans[i]));
	root = json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
		"smartprof-compare/1", "program", sp_json_text(c->program), "verdict", verdict_name(c->verdict),
		"score", sp_json_number(c->score), "worst_score", sp_json_number(c->worst_score), "grade", grade,
		"reasons", lines_json(&c->reasons), "totals", totals, "rows", rows, "not_compared",
		lines_json(&c->not_compared), "warnings", lines_json(&c->warnings), "baseline",
		files_json(c, SP_BASELINE), "current", files_json(c, SP_CURRENT), "calibrated_runs",
		c->input->noise ? json_integer(c->input->noise->runs) : json_null());
	json_object_set_new(root, "spans", spans);
	json_object_set_new(root, "code", code_json(c->code));
	json_object_set_new(root, "same_build", json_boolean(c->same_build));
	return root;
}

void sp_compare_json(struct sp_buffer *out, const struct sp_comparison *c)
{
	json_t *root = sp_compare_json_tree(c);
	char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));

	sp_buffer_puts(out, text);
	sp_buffer_puts(out, "\n");
	free(text);
	json_decref(root);
}
