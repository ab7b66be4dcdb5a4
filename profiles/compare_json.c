/* The comparison for programs. docs/COMPARE.md has the schema: fields may be added, none change their meaning
 * without a new number. What is not known is null. */
#include "profiles/compare.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/escape.h"

/* Names from profiles need not be UTF-8 once unescaped. */
static json_t *text_json(const char *text)
{
	json_t *value = text ? json_string(text) : json_null();
	struct sp_buffer plain = {0};

	if (value)
		return value;
	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	value = json_string(plain.data);
	sp_buffer_free(&plain);
	return value ? value : json_null();
}

static json_t *number_json(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static double in_units(enum sp_unit unit, double value)
{
	return unit == SP_UNIT_NS ? value / 1e9 : value;
}

static const char *unit_name(enum sp_unit unit)
{
	return unit == SP_UNIT_NS ? "seconds" : unit == SP_UNIT_BYTES ? "bytes" : "number";
}

static json_t *total_json(const struct sp_comparison *c, enum sp_metric m)
{
	const struct sp_total *t = &c->totals[m];
	enum sp_unit unit = sp_metric_info[m].unit;

	if (!t->compared)
		return json_pack("{s:s, s:b, s:o}", "metric", sp_metric_info[m].key, "compared", 0, "why_not",
			text_json(t->why_not));
	return json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:I}", "metric",
		sp_metric_info[m].key, "compared", 1, "unit", unit_name(unit), "baseline",
		number_json(in_units(unit, t->baseline)), "current", number_json(in_units(unit, t->current)), "ratio",
		number_json(t->ratio), "ratio_low", number_json(t->low), "ratio_high", number_json(t->high), "p",
		number_json(t->p), "p_corrected", number_json(t->corrected_p), "spread", number_json(t->spread),
		"evidence", sp_evidence_name(t->evidence), "factor", number_json(t->factor), "weight",
		number_json(t->weight), "method", t->exact ? "mann-whitney" : "noise-floor", "runs_needed",
		(json_int_t)t->runs_needed);
}

static json_t *row_json(const struct sp_comparison *c, const struct sp_row *row)
{
	static const char *const states[] = {"steady", "regression", "improvement", "shift"};
	static const char *const presences[] = {"both", "appeared", "disappeared", "renamed"};
	enum sp_metric m = sp_row_metric(row->kind);
	enum sp_unit unit = sp_metric_info[m].unit;
	json_t *item = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:s, s:b}", "metric",
		sp_metric_info[m].key, "function", text_json(row->function), "was", text_json(row->old_function),
		"within", text_json(row->within), "module", text_json(row->module), "file", text_json(row->file),
		"line", (json_int_t)row->line, "state", states[row->state], "presence", presences[row->presence],
		"evidence", sp_evidence_name(row->evidence), "tested", (int)row->tested);
	const struct {
		const char *key;
		double value;
	} numbers[] = {{"baseline", in_units(unit, row->baseline)}, {"current", in_units(unit, row->current)},
		{"change", in_units(unit, row->change)}, {"baseline_share", row->share[SP_BASELINE]},
		{"current_share", row->share[SP_CURRENT]}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_set_new(item, numbers[i].key, number_json(numbers[i].value));
	if (row->tested) {
		json_object_set_new(item, "change_low", number_json(in_units(unit, row->low)));
		json_object_set_new(item, "change_high", number_json(in_units(unit, row->high)));
		json_object_set_new(item, "p", number_json(row->p));
		json_object_set_new(item, "q", number_json(row->q));
		json_object_set_new(item, "p_holm", number_json(row->holm));
	}
	(void)c;
	return item;
}

static json_t *lines_json(const struct sp_lines *lines)
{
	json_t *array = json_array();

	for (size_t i = 0; i < lines->count; i++)
		json_array_append_new(array, text_json(lines->items[i]));
	return array;
}

static json_t *files_json(const struct sp_comparison *c, enum sp_side side)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->input->count[side]; i++)
		json_array_append_new(array, text_json(c->input->names[side][i]));
	return array;
}

static const char *verdict_name(enum sp_verdict verdict)
{
	return verdict == SP_VERDICT_PASS ? "pass" : verdict == SP_VERDICT_REGRESSION ? "regression" : "unknown";
}

void sp_compare_json(struct sp_buffer *out, const struct sp_comparison *c)
{
	json_t *totals = json_array(), *rows = json_array(), *root;
	char grade[2] = {"ABCDF"[c->grade], '\0'}, *text;

	for (unsigned m = 0; m < SP_METRICS; m++)
		json_array_append_new(totals, total_json(c, m));
	for (size_t i = 0; i < c->row_count; i++)
		if (!c->rows[i].gone && c->totals[sp_row_metric(c->rows[i].kind)].compared)
			json_array_append_new(rows, row_json(c, &c->rows[i]));
	root = json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
		"smartprof-compare/1", "program", text_json(c->program), "verdict", verdict_name(c->verdict), "score",
		number_json(c->score), "worst_score", number_json(c->worst_score), "grade", grade, "reasons",
		lines_json(&c->reasons), "totals", totals, "rows", rows, "not_compared", lines_json(&c->not_compared),
		"warnings", lines_json(&c->warnings), "baseline", files_json(c, SP_BASELINE), "current",
		files_json(c, SP_CURRENT), "calibrated_runs",
		c->input->noise ? json_integer(c->input->noise->runs) : json_null());
	text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
	sp_buffer_puts(out, text ? text : "null");
	sp_buffer_puts(out, "\n");
	free(text);
	json_decref(root);
}
