/* smartprof history show: all that the history has of a run, beside what is usual. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/compare/stats.h"
#include "profiles/history/plot.h"
#include "profiles/monitor/series.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"

#define BEFORE 100u   /* runs before that say what is usual */
#define FUNCTIONS 10u /* that are shown of each kind */

static void help(void)
{
	printf("usage: smartprof history show [RUN] [--json|--markdown]\n\n"
	       "Shows all that is known of a run (the latest): RUN is its id or the first digits of it, `latest`, or "
	       "`latest~3` for the\n"
	       "third before. Beside each figure stands what is usual: the median of the runs of its series before "
	       "it.\n");
}

static const struct sp_column metric_columns[] = {{"metric", "metric", false}, {"value", "value", true},
	{"±", "error", true}, {"usual", "usual", true}, {"times", "ratio", true}, {"runs", "runs", true}};
static const struct sp_column function_columns[] = {{"of", "of", false}, {"self", "self", true}, {"±", "error", true},
	{"with calls", "total", true}, {"function", "function", false}, {"module", "module", false}};

/* The median of the runs before; NAN: there is none. */
static double usual(struct sp_ask *ask, const struct sp_history_run *run, const char *metric, size_t *runs)
{
	const struct sp_history_filter filter = {
		.series = run->series, .good = true, .until_ns = run->started_ns, .limit = BEFORE};
	struct sp_history_points points;
	double *values, median = NAN;

	sp_history_series(ask->store, &filter, metric, &points);
	*runs = points.count;
	values = sp_alloc(points.count + 1, sizeof(*values));
	for (size_t i = 0; i < points.count; i++)
		values[i] = points.items[i].value;
	if (points.count)
		median = sp_stats_median(values, points.count);
	free(values);
	sp_history_points_free(&points);
	return median;
}

static void add_metrics(struct sp_ask *ask, const struct sp_history_run *run, struct sp_table *table)
{
	for (size_t i = 0; i < run->metric_count; i++) {
		const struct sp_history_metric *m = &run->metrics[i];
		double before, ratio;
		size_t runs;
		char text[32];

		before = usual(ask, run, m->name, &runs);
		ratio = before > 0 ? m->value / before : NAN;
		sp_table_add_text(table, m->name);
		sp_ask_add_value(table, m->name, m->value);
		if (isnan(m->error))
			sp_table_add(table, "", json_null());
		else
			sp_ask_add_value(table, m->name, m->error);
		sp_ask_add_value(table, m->name, before);
		snprintf(text, sizeof(text), isnan(ratio) ? "-" : "%.2f", ratio);
		sp_table_add(table, text, sp_json_number(ratio));
		snprintf(text, sizeof(text), "%zu", runs);
		sp_table_add(table, text, sp_json_count(runs));
	}
}

static void add_functions(const struct sp_history_run *run, struct sp_table *table, bool all)
{
	static const char *const kinds[SP_HISTORY_OF] = {"CPU", "allocated", "waited"};
	static const char *const units[SP_HISTORY_OF] = {"_ns", "_bytes", "_ns"};
	size_t shown[SP_HISTORY_OF] = {0};

	for (size_t i = 0; i < run->function_count; i++) {
		const struct sp_history_function *f = &run->functions[i];

		if ((unsigned)f->of >= SP_HISTORY_OF || (!all && shown[f->of]++ >= FUNCTIONS))
			continue;
		sp_table_add_text(table, kinds[f->of]);
		sp_ask_add_value(table, units[f->of], f->self);
		if (isnan(f->error))
			sp_table_add(table, "", json_null());
		else
			sp_ask_add_value(table, units[f->of], f->error);
		sp_ask_add_value(table, units[f->of], f->total);
		sp_table_add_text(table, f->name);
		sp_table_add_text(table, f->module);
	}
}

/* --- in words */

static void put_fact(struct sp_buffer *out, const struct sp_ask *ask, const char *label, const char *text)
{
	bool markdown = ask->format == SP_ASK_MARKDOWN;

	if (!text || !*text)
		return;
	sp_buffer_printf(out, markdown ? "- %s: " : "%-12s ", label);
	sp_escape(out, markdown ? SP_ESCAPE_CELL : SP_ESCAPE_PLAIN, text, strlen(text));
	sp_buffer_puts(out, "\n");
}

static void put_ending(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_run *run)
{
	struct sp_buffer text = {0};

	sp_buffer_puts(&text, run->state);
	if (run->exit_status > 0)
		sp_buffer_printf(&text, ", exit %d", run->exit_status);
	if (run->signal)
		sp_buffer_printf(&text, ", signal %d", run->signal);
	if (run->jobs > 1)
		sp_buffer_printf(&text, "; %u jobs ran at a time, so its times are compared with none", run->jobs);
	put_fact(out, ask, "ended", text.data);
	sp_buffer_free(&text);
}

static void put_machine(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_machine *m)
{
	struct sp_buffer text = {0};

	sp_buffer_printf(&text, "%.8s: %s, %.3g cores, ", m->class, m->cpu, m->millicores / 1000.0);
	sp_put_size(&text, m->memory_bytes);
	sp_buffer_printf(&text, ", Linux %s%s%s", m->kernel, *m->governor ? ", governor " : "", m->governor);
	put_fact(out, ask, "machine", text.data);
	sp_buffer_free(&text);
}

static void put_commit(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_run *run)
{
	struct sp_buffer text = {0};

	if (!*run->commit)
		return;
	sp_buffer_printf(&text, "%.12s%s%s%s", run->commit, *run->branch ? " on " : "", run->branch,
		run->dirty > 0 ? ", files differed" : "");
	put_fact(out, ask, "commit", text.data);
	sp_buffer_free(&text);
}

static void put_marks(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_run *run)
{
	struct sp_buffer text = {0};

	for (size_t i = 0; i < run->tag_count; i++)
		sp_buffer_printf(&text, "%s%s", i ? ", " : "", run->tags[i]);
	put_fact(out, ask, "tags", text.data);
	put_fact(out, ask, "note", run->note);
	if (run->pinned)
		put_fact(out, ask, "kept", "for ever");
	sp_buffer_free(&text);
}

static void put_head(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_run *run)
{
	struct sp_buffer time = {0};

	sp_ask_put_time(&time, run->started_ns);
	put_fact(out, ask, "run", run->id);
	put_fact(out, ask, "command", run->command);
	put_fact(out, ask, "begun", time.data);
	put_ending(out, ask, run);
	put_fact(out, ask, "kind", run->kind);
	put_fact(out, ask, "environment", run->environment);
	put_fact(out, ask, "directory", run->directory);
	put_commit(out, ask, run);
	put_fact(out, ask, "build-id", run->build_id);
	put_machine(out, ask, &run->machine);
	put_marks(out, ask, run);
	sp_buffer_free(&time);
}

static void put_table(struct sp_buffer *out, const struct sp_ask *ask, const char *title, const struct sp_table *table)
{
	if (!sp_table_rows(table))
		return;
	sp_buffer_printf(out, ask->format == SP_ASK_MARKDOWN ? "\n## %s\n\n" : "\n", title);
	if (ask->format == SP_ASK_MARKDOWN)
		sp_table_put_markdown(out, table);
	else
		sp_table_put_text(out, table, "");
}

/* The stored timeline as the bars that the run was shown with. */
static void put_timeline(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_run *run)
{
	struct sp_monitor_timeline line = {0};
	void *data = NULL;
	size_t bytes = 0;

	if (!*run->blobs[SP_HISTORY_TIMELINE].hash ||
		sp_history_blob_read(ask->store, run->blobs[SP_HISTORY_TIMELINE].hash, &data, &bytes))
		return;
	if (sp_monitor_timeline_read(&line, data, bytes)) {
		sp_buffer_puts(out, ask->format == SP_ASK_MARKDOWN ? "\n```text\n" : "\n");
		sp_monitor_put_timeline(out, &line);
		sp_buffer_puts(out, ask->format == SP_ASK_MARKDOWN ? "```\n" : "");
	}
	free(line.points);
	free(data);
}

static void put_more(struct sp_buffer *out, const struct sp_ask *ask, const struct sp_history_run *run)
{
	char text[128];

	sp_buffer_puts(out, "\n");
	snprintf(text, sizeof(text), "smartprof history trend --run %.*s", SP_HISTORY_SHORT, run->id);
	put_fact(out, ask, "its trend", text);
	snprintf(text, sizeof(text), "smartprof report --run %.*s", SP_HISTORY_SHORT, run->id);
	if (*run->blobs[SP_HISTORY_PROFILE].hash)
		put_fact(out, ask, "its profile", text);
}

/* --- as JSON */

static json_t *run_json(const struct sp_history_run *run, const struct sp_table *metrics,
	const struct sp_table *functions)
{
	const struct {
		const char *key, *text;
	} texts[] = {{"id", run->id}, {"kind", run->kind}, {"program", run->program}, {"command", run->command},
		{"arguments_class", run->args_class}, {"environment", run->environment}, {"directory", run->directory},
		{"commit", run->commit}, {"branch", run->branch}, {"build_id", run->build_id}, {"state", run->state},
		{"machine", run->machine.class}, {"cpu", run->machine.cpu}, {"kernel", run->machine.kernel},
		{"governor", run->machine.governor}, {"note", run->note}};
	json_t *row = json_object(), *tags = json_array(), *blobs = json_object();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		sp_json_set(row, texts[i].key, sp_json_text(texts[i].text));
	for (size_t i = 0; i < run->tag_count; i++)
		json_array_append_new(tags, sp_json_text(run->tags[i]));
	for (int i = 0; i < SP_HISTORY_PARTS; i++)
		sp_json_set(blobs, sp_history_part_names[i],
			*run->blobs[i].hash ? sp_json_text(run->blobs[i].hash) : json_null());
	sp_json_set(row, "started_ns", sp_ask_time_json(run->started_ns));
	sp_json_set(row, "series", json_integer(run->series));
	sp_json_set(row, "exit_code", run->exit_status >= 0 ? json_integer(run->exit_status) : json_null());
	sp_json_set(row, "signal", run->signal ? json_integer(run->signal) : json_null());
	sp_json_set(row, "jobs", json_integer(run->jobs));
	sp_json_set(row, "profiled", json_boolean(run->profiled));
	sp_json_set(row, "dirty", run->dirty < 0 ? json_null() : json_boolean(run->dirty));
	sp_json_set(row, "tags", tags);
	sp_json_set(row, "kept", json_boolean(run->pinned));
	sp_json_set(row, "files", blobs);
	sp_json_set(row, "metrics", sp_table_json(metrics));
	sp_json_set(row, "functions", sp_table_json(functions));
	return row;
}

static int print(struct sp_ask *ask, const struct sp_history_run *run)
{
	struct sp_table metrics = {
		.columns = metric_columns, .width = sizeof(metric_columns) / sizeof(metric_columns[0])};
	struct sp_table functions = {
		.columns = function_columns, .width = sizeof(function_columns) / sizeof(function_columns[0])};
	struct sp_buffer text = {0};
	int status;

	add_metrics(ask, run, &metrics);
	add_functions(run, &functions, ask->format == SP_ASK_JSON);
	if (ask->format == SP_ASK_JSON) {
		status = sp_ask_print_json(ask, run_json(run, &metrics, &functions));
	} else {
		put_head(&text, ask, run);
		put_table(&text, ask, "Figures", &metrics);
		put_timeline(&text, ask, run);
		put_table(&text, ask, "Functions", &functions);
		put_more(&text, ask, run);
		status = sp_ask_print(ask, &text);
	}
	sp_buffer_free(&text);
	sp_table_free(&metrics);
	sp_table_free(&functions);
	return status;
}

int sp_history_cmd_show(int argc, char **argv)
{
	struct sp_history_run *run = NULL;
	struct sp_ask ask;
	int status = sp_ask_begin(&ask, "history show", argc, argv, 1, help);

	if (status < 0) {
		const char *id = ask.word_count ? ask.words[0] : ask.run ? ask.run : "latest";

		status = sp_history_find(ask.store, id, SP_HISTORY_ALL, &run) ? sp_ask_failed(&ask) : print(&ask, run);
		sp_history_run_free(run);
	}
	sp_ask_end(&ask);
	return status;
}
