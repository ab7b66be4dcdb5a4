/* Baselines as JSON: see baseline.h. */
#include "profiles/gate/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

/* A figure, and the metric of the history that it comes from. */
static const struct figure {
	const char *figure, *metric, *unit;
	double scale;
	bool profiled;
} figures[] = {{"wall", "wall_ns", "seconds", 1e9, false}, {"cpu", "cpu_ns", "seconds", 1e9, false},
	{"queue", "queue_ns", "seconds", 1e9, false}, {"peak", "peak_rss_bytes", "bytes", 1, false},
	{"allocated", "allocated_bytes", "bytes", 1, true}};

static json_t *text_or_null(const char *text)
{
	return sp_json_text(text && *text ? text : NULL);
}

static void put_time(char out[static 32], uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm tm;
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + length, 32 - length, ".%03uZ", (unsigned)(ns / 1000000u % 1000u));
}

static json_t *machine_json(const struct sp_history_machine *m)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:o, s:o}", "class", sp_json_text(m->class), "cpu", text_or_null(m->cpu),
		"millicores", (json_int_t)m->millicores, "memory_bytes", (json_int_t)m->memory_bytes, "kernel",
		text_or_null(m->kernel), "governor", text_or_null(m->governor));
}

json_t *sp_baseline_make(const struct sp_baseline_head *head)
{
	char created[32];

	put_time(created, head->created_ns);
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:[]}", "schema", SP_BASELINE_SCHEMA, "name",
		sp_json_text(head->name), "created", created, "commit", text_or_null(head->commit), "branch",
		text_or_null(head->branch), "dirty", head->dirty < 0 ? json_null() : json_boolean(head->dirty),
		"because", text_or_null(head->because), "machine", machine_json(head->machine), "commands");
}

const char *sp_baseline_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t sp_baseline_created_ns(const json_t *baseline)
{
	struct tm tm = {0};
	unsigned milliseconds = 0;
	const char *rest = strptime(sp_baseline_text(baseline, "created"), "%Y-%m-%dT%H:%M:%S", &tm);
	time_t seconds = rest ? timegm(&tm) : 0;

	if (rest && *rest == '.')
		milliseconds = (unsigned)strtoul(rest + 1, NULL, 10) % 1000;
	return seconds > 0 ? (uint64_t)seconds * 1000000000u + milliseconds * 1000000u : 0;
}

const char *sp_baseline_machine(const json_t *baseline)
{
	return sp_baseline_text(json_object_get(baseline, "machine"), "class");
}

json_t *sp_baseline_find(const json_t *baseline, const char *program, const char *args_class)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(baseline, "commands"), i, item)
	{
		if (strcmp(sp_baseline_text(item, "program"), program) == 0 &&
			strcmp(sp_baseline_text(item, "args_class"), args_class) == 0)
			return item;
	}
	return NULL;
}

static json_t *command_of(json_t *baseline, const struct sp_history_run *run)
{
	json_t *command = sp_baseline_find(baseline, run->program, run->args_class);

	if (command)
		return command;
	command = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:{}, s:[], s:[]}", "command",
		sp_json_text(run->command), "program", sp_json_text(run->program), "args_class",
		sp_json_text(run->args_class), "environment", text_or_null(run->environment), "build_id",
		text_or_null(run->build_id), "runs", 0, "failed", 0, "figures", "run_ids", "profiles");
	json_array_append_new(json_object_get(baseline, "commands"), command);
	return command;
}

static void add_value(json_t *command, const char *figure, const char *unit, double value)
{
	json_t *figures_of = json_object_get(command, "figures"), *item = json_object_get(figures_of, figure);

	if (!item) {
		item = json_pack("{s:s, s:[]}", "unit", unit, "values");
		sp_json_set(figures_of, figure, item);
		item = json_object_get(figures_of, figure);
	}
	json_array_append_new(json_object_get(item, "values"), sp_json_number(value));
}

char *sp_baseline_span_figure(const char *metric)
{
	static const char begin[] = "span.", end[] = ".p99_ns";
	size_t length = strlen(metric), around = strlen(begin) + strlen(end);

	if (length <= around || strncmp(metric, begin, strlen(begin)) != 0 ||
		strcmp(metric + length - strlen(end), end) != 0)
		return NULL;
	return sp_text("p99 %.*s", (int)(length - around), metric + strlen(begin));
}

static void add_span(json_t *command, const struct sp_history_metric *metric)
{
	char *figure = sp_baseline_span_figure(metric->name);

	if (figure)
		add_value(command, figure, "seconds", metric->value / 1e9);
	free(figure);
}

static void count(json_t *command, const char *key)
{
	json_object_set_new(command, key, json_integer(json_integer_value(json_object_get(command, key)) + 1));
}

void sp_baseline_add(json_t *baseline, const struct sp_history_run *run)
{
	json_t *command = command_of(baseline, run);

	if (!sp_history_is_good(run)) {
		count(command, "failed");
		return;
	}
	json_array_append_new(json_object_get(command, "run_ids"), sp_json_text(run->id));
	if (!run->profiled)
		count(command, "runs");
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		double value = sp_history_value(run, figures[i].metric, NULL);

		if (figures[i].profiled == run->profiled && isfinite(value))
			add_value(command, figures[i].figure, figures[i].unit, value / figures[i].scale);
	}
	for (size_t i = 0; run->profiled && i < run->metric_count; i++)
		add_span(command, &run->metrics[i]);
	if (run->blobs[SP_HISTORY_PROFILE].hash[0])
		json_array_append_new(json_object_get(command, "profiles"),
			sp_json_text(run->blobs[SP_HISTORY_PROFILE].hash));
}

/* The standard error: the spread of runs over the root of their number. NAN of one run. */
static double error_of(const double *values, size_t n)
{
	double freedom = 0, spread = n > 1 ? sp_stats_spread(values, n, values, 1, &freedom) : 0;

	return n > 1 ? spread / sqrt((double)n) : NAN;
}

static void finish_figure(json_t *item)
{
	struct sp_gate_values values = {0};
	json_t *value;
	size_t i;

	json_array_foreach(json_object_get(item, "values"), i, value)
	{
		sp_gate_add_value(&values, json_number_value(value));
	}
	if (values.count) {
		json_object_set_new(item, "median", sp_json_number(sp_stats_median(values.items, values.count)));
		json_object_set_new(item, "error", sp_json_number(error_of(values.items, values.count)));
	}
	free(values.items);
}

void sp_baseline_finish(json_t *baseline)
{
	json_t *command, *item;
	const char *key;
	size_t i;

	json_array_foreach(json_object_get(baseline, "commands"), i, command)
	{
		json_object_foreach(json_object_get(command, "figures"), key, item)
		{
			finish_figure(item);
		}
	}
}

/* --- reading */

static bool is_text_or_null(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return !value || json_is_null(value) || json_is_string(value);
}

static const char *check_figure(const json_t *item)
{
	const json_t *values = json_object_get(item, "values"), *value;
	size_t i;

	if (!json_is_object(item) || !json_is_array(values))
		return "a figure has no `values`";
	json_array_foreach(values, i, value)
	{
		if (!json_is_number(value) || !(json_number_value(value) >= 0) || json_number_value(value) > 1e18)
			return "a value is no number from 0 on";
	}
	return NULL;
}

static const char *check_command(json_t *command)
{
	static const char *const texts[] = {"command", "program", "args_class", "environment", "build_id"};
	const char *key, *why;
	json_t *item;

	if (!json_is_object(command) || !json_is_string(json_object_get(command, "program")))
		return "a command has no `program`";
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!is_text_or_null(command, texts[i]))
			return "what is text of a command is none";
	if (!json_is_object(json_object_get(command, "figures")))
		return "a command has no `figures`";
	json_object_foreach(json_object_get(command, "figures"), key, item)
	{
		why = check_figure(item);
		if (why)
			return why;
	}
	return NULL;
}

static const char *check(json_t *baseline)
{
	static const char *const texts[] = {"name", "created", "commit", "branch", "because"};
	json_t *command;
	size_t i;

	if (!json_is_object(baseline) || strcmp(sp_baseline_text(baseline, "schema"), SP_BASELINE_SCHEMA) != 0)
		return "`schema` is not " SP_BASELINE_SCHEMA;
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		if (!is_text_or_null(baseline, texts[k]))
			return "what is text of the baseline is none";
	if (!json_is_object(json_object_get(baseline, "machine")) ||
		!is_text_or_null(json_object_get(baseline, "machine"), "class"))
		return "it has no `machine`";
	if (!json_is_array(json_object_get(baseline, "commands")))
		return "it has no `commands`";
	json_array_foreach(json_object_get(baseline, "commands"), i, command)
	{
		const char *why = check_command(command);

		if (why)
			return why;
	}
	return NULL;
}

json_t *sp_baseline_parse(const char *text, size_t length, const char **why)
{
	json_t *baseline =
		length <= SP_BASELINE_BYTES_MAX ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL) : NULL;

	*why = !baseline ? "it is not JSON" : check(baseline);
	if (!*why)
		return baseline;
	json_decref(baseline);
	return NULL;
}

void sp_baseline_values(const json_t *command, const char *figure, struct sp_gate_values *values)
{
	const json_t *item = json_object_get(json_object_get(command, "figures"), figure), *value;
	double scale = strcmp(sp_baseline_text(item, "unit"), "seconds") == 0 ? 1e9 : 1;
	size_t i;

	json_array_foreach(json_object_get(item, "values"), i, value)
	{
		sp_gate_add_value(values, json_number_value(value) * scale);
	}
}

/* --- for people */

static void put_text(struct sp_buffer *out, const char *text)
{
	sp_escape(out, SP_ESCAPE_PLAIN, text, strlen(text));
}

static void put_figure(struct sp_buffer *out, const json_t *command, const char *figure)
{
	struct sp_gate_values values = {0};
	const json_t *item = json_object_get(json_object_get(command, "figures"), figure);
	double error = json_number_value(json_object_get(item, "error"));

	sp_baseline_values(command, figure, &values);
	if (values.count) {
		double median = sp_stats_median(values.items, values.count);
		bool time = strcmp(sp_baseline_text(item, "unit"), "seconds") == 0;

		sp_buffer_puts(out, "    ");
		put_text(out, figure);
		sp_buffer_puts(out, ": ");
		if (time)
			sp_put_duration(out, sp_whole(median));
		else
			sp_put_size(out, sp_whole(median));
		if (values.count > 1)
			sp_buffer_puts(out, " ± ");
		if (values.count > 1 && time)
			sp_put_duration(out, sp_whole(1.96 * error * 1e9));
		else if (values.count > 1)
			sp_put_size(out, sp_whole(1.96 * error));
		sp_buffer_printf(out, ", %zu run%s\n", values.count, values.count == 1 ? "" : "s");
	}
	free(values.items);
}

static void put_failed(struct sp_buffer *out, json_int_t failed)
{
	if (failed > 0)
		sp_buffer_printf(out, ": %lld run%s failed", (long long)failed, failed == 1 ? "" : "s");
}

void sp_baseline_put(struct sp_buffer *out, const json_t *baseline)
{
	static const char *const keys[] = {"created", "commit", "branch", "because"};
	json_t *command, *item;
	const char *figure;
	size_t i;

	sp_buffer_puts(out, "baseline ");
	put_text(out, sp_baseline_text(baseline, "name"));
	sp_buffer_puts(out, "\n");
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		if (!*sp_baseline_text(baseline, keys[k]))
			continue;
		sp_buffer_printf(out, "  %s ", keys[k]);
		put_text(out, sp_baseline_text(baseline, keys[k]));
		sp_buffer_puts(out,
			k == 1 && json_is_true(json_object_get(baseline, "dirty")) ? ", with changes\n" : "\n");
	}
	sp_buffer_puts(out, "  machine ");
	put_text(out, sp_baseline_machine(baseline));
	sp_buffer_puts(out, " ");
	put_text(out, sp_baseline_text(json_object_get(baseline, "machine"), "cpu"));
	sp_buffer_puts(out, "\n");
	json_array_foreach(json_object_get(baseline, "commands"), i, command)
	{
		sp_buffer_puts(out, "  ");
		put_text(out, sp_baseline_text(command, "command"));
		put_failed(out, json_integer_value(json_object_get(command, "failed")));
		sp_buffer_puts(out, "\n");
		json_object_foreach(json_object_get(command, "figures"), figure, item)
		{
			put_figure(out, command, figure);
		}
	}
}
