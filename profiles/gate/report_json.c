/* A check for programs: JSON (docs/CHECK.md has the schema) and OpenMetrics. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/exposition.h"
#include "profiles/base/json.h"
#include "profiles/gate/check.h"

static double scaled(const struct sp_check_figure *f, double value)
{
	return sp_gate_metrics[f->metric].unit == SP_GATE_NS ? value / 1e9 : value;
}

static json_t *figure_json(const struct sp_check_command *c, const struct sp_check_figure *f)
{
	const struct sp_gate_judgement *j = &f->judgement;
	struct sp_buffer text = {0};
	bool compared = f->baseline.count > 0;
	json_t *item;

	sp_check_put_finding(&text, c, f);
	item = json_pack("{s:o, s:s, s:s, s:o, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "figure",
		sp_json_text(f->name), "unit", sp_gate_metrics[f->metric].unit == SP_GATE_NS ? "seconds" : "bytes",
		"answer", sp_figure_words[f->state], "current",
		f->current.count ? sp_json_number(scaled(f, sp_gate_median(&f->current))) : json_null(), "current_runs",
		(json_int_t)f->current.count, "baseline",
		compared ? sp_json_number(scaled(f, j->baseline)) : json_null(), "baseline_runs",
		(json_int_t)f->baseline.count, "ratio", compared ? sp_json_number(j->ratio) : json_null(), "ratio_low",
		compared ? sp_json_number(j->low) : json_null(), "ratio_high",
		compared ? sp_json_number(j->high) : json_null(), "allowed",
		f->allowed >= 0 ? sp_json_number(1 + f->allowed) : json_null(), "limit",
		f->limit > 0 ? sp_json_number(scaled(f, f->limit)) : json_null(), "runs_needed",
		(json_int_t)(f->against_limit.answer == SP_GATE_UNSURE ? f->against_limit.needed : j->needed),
		"finding", sp_json_text(text.length ? text.data : NULL));
	sp_buffer_free(&text);
	return item;
}

static json_t *command_json(const struct sp_check_command *c)
{
	static const char *const codes[] = {NULL, "same", "changed"};
	json_t *figures = json_array();

	for (size_t i = 0; i < c->figure_count; i++)
		json_array_append_new(figures, figure_json(c, &c->figures[i]));
	return json_pack("{s:o, s:o, s:I, s:I, s:b, s:f, s:o, s:o, s:o, s:o, s:o}", "name",
		sp_json_text(c->config->name), "run", sp_json_text(c->config->run), "runs", (json_int_t)c->runs,
		"failed", (json_int_t)c->failed, "too_many_failed", (int)c->too_many_failed, "score", c->score, "code",
		sp_json_text(codes[c->code]), "code_because", sp_json_text(c->code_text), "cause",
		sp_json_text(c->cause), "decided", sp_json_text(c->decided), "figures", figures);
}

void sp_check_json(struct sp_buffer *out, const struct sp_check *check)
{
	static const char *const verdicts[] = {"pass", "unsure", "fail"};
	char grade[2] = {"ABCDF"[check->grade], '\0'};
	json_t *commands = json_array();

	for (size_t i = 0; i < check->command_count; i++)
		json_array_append_new(commands, command_json(&check->commands[i]));
	sp_json_put(out,
		json_pack("{s:s, s:s, s:f, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o}", "schema", "smartprof-check/1",
			"verdict", verdicts[check->verdict], "score", check->score, "grade", grade, "mode", check->mode,
			"commit", sp_json_text(check->commit), "branch", sp_json_text(check->branch), "machine",
			sp_json_text(check->machine), "baseline", sp_json_text(check->baseline_text), "alarms",
			(json_int_t)check->alarms, "alarms_again", (json_int_t)check->persisted, "commands", commands),
		false);
}

static void put_sample(struct sp_buffer *out, const char *family, const struct sp_check_command *c,
	const struct sp_check_figure *f, double value)
{
	if (!isfinite(value))
		return;
	sp_buffer_printf(out, "%s{", family);
	sp_exposition_label(out, "command", c->config->name);
	sp_buffer_puts(out, ",");
	sp_exposition_label(out, "figure", f->name);
	sp_buffer_printf(out, "} %.9g\n", value);
}

static void put_family(struct sp_buffer *out, const struct sp_check *check, const char *family, const char *help,
	enum sp_gate_unit unit, bool ratio)
{
	sp_buffer_printf(out, "# TYPE %s gauge\n# HELP %s %s\n", family, family, help);
	for (size_t i = 0; i < check->command_count; i++)
		for (size_t k = 0; k < check->commands[i].figure_count; k++) {
			const struct sp_check_figure *f = &check->commands[i].figures[k];

			if (!f->current.count || (ratio ? !f->baseline.count : sp_gate_metrics[f->metric].unit != unit))
				continue;
			put_sample(out, family, &check->commands[i], f,
				ratio ? f->judgement.ratio : scaled(f, sp_gate_median(&f->current)));
		}
}

void sp_check_openmetrics(struct sp_buffer *out, const struct sp_check *check)
{
	put_family(out, check, "smartprof_seconds", "Median of runs.", SP_GATE_NS, false);
	put_family(out, check, "smartprof_bytes", "Median of runs.", SP_GATE_BYTES, false);
	put_family(out, check, "smartprof_ratio", "Now over the baseline.", SP_GATE_NS, true);
	sp_buffer_printf(out,
		"# TYPE smartprof_score gauge\n# HELP smartprof_score 100: nothing surely costs more.\nsmartprof_score "
		"%.4g\n# EOF\n",
		check->score);
}
