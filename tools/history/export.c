/* smartprof history export: runs for other programs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"
#include "tools/history/tidy.h"
#include "tools/tools.h"

static void print_help(void)
{
	printf("usage: smartprof history export [--json | --csv] [FLAGS]\n\n"
	       "Writes runs to standard output: a line of JSON for each (JSON Lines), or CSV with a column for each "
	       "metric. "
	       "Times are\nnanoseconds, sizes bytes. The oldest come first.\n\n"
	       "  --csv           as CSV\n" SP_ASK_HELP);
}

/* --- JSON */

static json_t *metrics_json(const struct sp_history_run *run)
{
	json_t *all = json_object();

	for (size_t i = 0; i < run->metric_count; i++) {
		json_t *one = json_object();

		sp_json_set(one, "value", sp_json_number(run->metrics[i].value));
		if (!isnan(run->metrics[i].error))
			sp_json_set(one, "error", sp_json_number(run->metrics[i].error));
		sp_json_set(all, run->metrics[i].name, one);
	}
	return all;
}

static json_t *functions_json(const struct sp_history_run *run)
{
	static const char *const of[SP_HISTORY_OF] = {"cpu_ns", "allocated_bytes", "waited_ns"};
	json_t *all = json_array();

	for (size_t i = 0; i < run->function_count; i++) {
		const struct sp_history_function *f = &run->functions[i];
		json_t *one = json_object();

		sp_json_set(one, "of", sp_json_text(f->of < SP_HISTORY_OF ? of[f->of] : ""));
		sp_json_set(one, "name", sp_json_text(f->name));
		sp_json_set(one, "module", sp_json_text(f->module));
		sp_json_set(one, "self", sp_json_number(f->self));
		sp_json_set(one, "total", sp_json_number(f->total));
		sp_json_set(one, "error", sp_json_number(f->error));
		json_array_append_new(all, one);
	}
	return all;
}

static json_t *machine_json(const struct sp_history_machine *m)
{
	json_t *machine = json_object();

	sp_json_set(machine, "class", sp_json_text(m->class));
	sp_json_set(machine, "cpu", sp_json_text(m->cpu));
	sp_json_set(machine, "millicores", sp_json_count(m->millicores));
	sp_json_set(machine, "memory_bytes", sp_json_count(m->memory_bytes));
	sp_json_set(machine, "kernel", sp_json_text(m->kernel));
	sp_json_set(machine, "governor", sp_json_text(m->governor));
	return machine;
}

static void set_head(json_t *json, const struct sp_history_run *run)
{
	const struct {
		const char *key, *text;
	} texts[] = {{"id", run->id}, {"kind", run->kind}, {"program", run->program}, {"command", run->command},
		{"args_class", run->args_class}, {"environment", run->environment}, {"directory", run->directory},
		{"commit", run->commit}, {"branch", run->branch}, {"build_id", run->build_id}, {"state", run->state},
		{"note", run->note}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		sp_json_set(json, texts[i].key, sp_json_text(texts[i].text));
	sp_json_set(json, "started_ns", sp_json_count(run->started_ns));
	sp_json_set(json, "series", json_integer(run->series));
	sp_json_set(json, "dirty", run->dirty < 0 ? json_null() : json_boolean(run->dirty));
	sp_json_set(json, "jobs", sp_json_count(run->jobs));
	sp_json_set(json, "profiled", json_boolean(run->profiled));
	sp_json_set(json, "exit_status", run->exit_status < 0 ? json_null() : json_integer(run->exit_status));
	sp_json_set(json, "signal", run->signal ? json_integer(run->signal) : json_null());
}

static int put_json(const struct sp_history_run *run, void *context)
{
	struct sp_buffer *out = context;
	json_t *json = json_object(), *tags = json_array(), *blobs = json_object();

	set_head(json, run);
	sp_json_set(json, "machine", machine_json(&run->machine));
	sp_json_set(json, "metrics", metrics_json(run));
	sp_json_set(json, "functions", functions_json(run));
	for (size_t i = 0; i < run->tag_count; i++)
		json_array_append_new(tags, sp_json_text(run->tags[i]));
	sp_json_set(json, "tags", tags);
	for (int i = 0; i < SP_HISTORY_PARTS; i++)
		if (*run->blobs[i].hash)
			sp_json_set(blobs, sp_history_part_names[i], sp_json_text(run->blobs[i].hash));
	sp_json_set(json, "files", blobs);
	sp_json_put(out, json, false);
	if (out->data[out->length - 1] != '\n')
		sp_buffer_puts(out, "\n");
	return 0;
}

/* --- CSV */

struct csv {
	char **metrics;
	size_t count;
	struct sp_buffer out;
};

/* RFC 4180; a beginning that a spreadsheet would take for a formula gets a ' in front. */
static void put_cell(struct sp_buffer *out, const char *text)
{
	sp_buffer_puts(out, "\"");
	if (*text && strchr("=+-@\t\r", *text))
		sp_buffer_puts(out, "'");
	for (; *text; text++) {
		if (*text == '"')
			sp_buffer_puts(out, "\"");
		sp_buffer_add(out, text, 1);
	}
	sp_buffer_puts(out, "\"");
}

static void put_head(struct csv *csv)
{
	sp_buffer_puts(&csv->out,
		"id,started_ns,kind,program,command,args_class,environment,commit,branch,build_id,machine,jobs,"
		"profiled,state,exit_status,tags");
	for (size_t i = 0; i < csv->count; i++) {
		sp_buffer_puts(&csv->out, ",");
		put_cell(&csv->out, csv->metrics[i]);
	}
	sp_buffer_puts(&csv->out, "\r\n");
}

static int put_csv(const struct sp_history_run *run, void *context)
{
	struct csv *csv = context;
	const char *const texts[] = {run->kind, run->program, run->command, run->args_class, run->environment,
		run->commit, run->branch, run->build_id, run->machine.class};
	struct sp_buffer tags = {0};

	sp_buffer_printf(&csv->out, "%s,%llu", run->id, (unsigned long long)run->started_ns);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		sp_buffer_puts(&csv->out, ",");
		put_cell(&csv->out, texts[i]);
	}
	sp_buffer_printf(&csv->out, ",%u,%d,", run->jobs, run->profiled);
	put_cell(&csv->out, run->state);
	sp_buffer_printf(&csv->out, ",%d,", run->exit_status);
	for (size_t i = 0; i < run->tag_count; i++)
		sp_buffer_printf(&tags, "%s%s", i ? " " : "", run->tags[i]);
	put_cell(&csv->out, tags.data ? tags.data : "");
	sp_buffer_free(&tags);
	for (size_t i = 0; i < csv->count; i++) {
		double value = sp_history_value(run, csv->metrics[i], NULL);

		sp_buffer_puts(&csv->out, ",");
		if (!isnan(value))
			sp_buffer_printf(&csv->out, "%.17g", value);
	}
	sp_buffer_puts(&csv->out, "\r\n");
	return 0;
}

static int export_csv(const struct sp_ask *ask)
{
	struct csv csv = {0};
	int status = sp_history_metric_names(ask->store, &csv.metrics, &csv.count);

	put_head(&csv);
	if (!status)
		status = sp_history_each(ask->store, &ask->filter, SP_HISTORY_METRICS | SP_HISTORY_TAGS, put_csv, &csv);
	status = status ? sp_ask_failed(ask) : sp_ask_print(ask, &csv.out);
	for (size_t i = 0; i < csv.count; i++)
		free(csv.metrics[i]);
	free(csv.metrics);
	sp_buffer_free(&csv.out);
	return status;
}

enum { FLAG_CSV = SP_ASK_OWN };

static const struct option own_flags[] = {{"csv", no_argument, NULL, FLAG_CSV}, {NULL, 0, NULL, 0}};

static int set_own(void *context, int flag, const char *value)
{
	bool *csv = context;

	(void)value;
	*csv = flag == FLAG_CSV;
	return 0;
}

int sp_history_cmd_export(int argc, char **argv)
{
	bool csv = false;
	const struct sp_ask_own own = {own_flags, set_own, NULL, &csv};
	struct sp_buffer text = {0};
	struct sp_ask ask;
	int status = sp_ask_begin_with(&ask, &own, "history export", argc, argv, 0, print_help);

	if (status == -1) {
		ask.filter.oldest_first = !ask.filter.limit;
		if (csv)
			status = export_csv(&ask);
		else if (sp_history_each(ask.store, &ask.filter, SP_HISTORY_ALL, put_json, &text))
			status = sp_ask_failed(&ask);
		else
			status = sp_ask_print(&ask, &text);
	}
	sp_buffer_free(&text);
	sp_ask_end(&ask);
	return status;
}
