/* Runs as JSON, Markdown and CSV. */
#include <math.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/monitor/series.h"

static json_t *seconds(uint64_t ns)
{
	return sp_json_number((double)ns / 1e9);
}

static json_t *points(const struct sp_monitor_timeline *timeline)
{
	json_t *list = json_array();

	for (size_t i = 0; i < timeline->count; i++) {
		const struct sp_monitor_point *point = &timeline->points[i];
		json_t *row = json_array();

		json_array_append_new(row, seconds(point->at_ns));
		json_array_append_new(row, seconds(point->cpu_ns));
		json_array_append_new(row, sp_json_count(point->rss_bytes));
		json_array_append_new(row, sp_json_count(point->processes));
		json_array_append_new(list, row);
	}
	return list;
}

static void set_ending(json_t *object, const struct sp_monitor_run *run)
{
	sp_json_set(object, "state", sp_json_text(sp_monitor_state_names[run->state]));
	sp_json_set(object, "exit_code", run->exit_status >= 0 ? json_integer(run->exit_status) : json_null());
	sp_json_set(object, "signal", run->signal ? json_integer(run->signal) : json_null());
	sp_json_set(object, "interrupted", json_boolean(run->interrupted));
	sp_json_set(object, "complete", json_boolean(run->complete));
	sp_json_set(object, "error", run->exec_errno ? sp_json_text(strerror(run->exec_errno)) : json_null());
	sp_json_set(object, "left_running", json_integer(run->left));
	sp_json_set(object, "left_names", sp_json_text(run->left_names));
	sp_json_set(object, "attempt", json_integer(run->attempt));
	sp_json_set(object, "jobs", json_integer(run->jobs));
}

static void set_usage(json_t *object, const struct sp_monitor_run *run)
{
	static const char *const trees[] = {"none", "single", "pss", "rss"};

	sp_json_set(object, "wall", seconds(run->wall_ns));
	sp_json_set(object, "user", seconds(run->user_ns));
	sp_json_set(object, "system", seconds(run->sys_ns));
	sp_json_set(object, "cpu_percent", sp_json_number(sp_monitor_cpu_percent(run)));
	sp_json_set(object, "peak_rss_bytes", sp_json_count(run->peak_rss_bytes));
	sp_json_set(object, "peak_tree_bytes", sp_json_count(run->peak_tree_bytes));
	sp_json_set(object, "peak_tree_kind", sp_json_text(trees[run->tree_kind]));
	sp_json_set(object, "processes", sp_json_count(run->processes_most));
	sp_json_set(object, "voluntary_switches", sp_json_count(run->voluntary_switches));
	sp_json_set(object, "involuntary_switches", sp_json_count(run->involuntary_switches));
	sp_json_set(object, "minor_faults", sp_json_count(run->minor_faults));
	sp_json_set(object, "major_faults", sp_json_count(run->major_faults));
	sp_json_set(object, "read_bytes", sp_json_count(run->read_bytes));
	sp_json_set(object, "written_bytes", sp_json_count(run->written_bytes));
	sp_json_set(object, "stdout_bytes", run->stdout_counted ? sp_json_count(run->stdout_bytes) : json_null());
	sp_json_set(object, "stderr_bytes", run->stderr_counted ? sp_json_count(run->stderr_bytes) : json_null());
	sp_json_set(object, "queue", seconds(run->queue_ns));
	sp_json_set(object, "throttled", run->throttled_known ? seconds(run->throttled_ns) : json_null());
	sp_json_set(object, "pressure", run->pressure_known ? seconds(run->pressure_ns) : json_null());
}

json_t *sp_monitor_run_json(const struct sp_monitor_run *run)
{
	json_t *object = json_object(), *words = json_array();

	for (char **word = run->argv; *word; word++)
		json_array_append_new(words, sp_json_text(*word));
	sp_json_set(object, "command", sp_json_text(run->command));
	sp_json_set(object, "argv", words);
	sp_json_set(object, "program", sp_json_text(run->program_path));
	sp_json_set(object, "arguments_class", sp_json_text(run->args_class));
	sp_json_set(object, "environment", sp_json_text(run->environment));
	sp_json_set(object, "directory", sp_json_text(run->directory));
	sp_json_set(object, "started", seconds(run->started_ns));
	set_ending(object, run);
	set_usage(object, run);
	sp_json_set(object, "profile", sp_json_text(run->profile_path));
	sp_json_set(object, "timeline", points(&run->timeline));
	return object;
}

/* --- hyperfine's result */

static void set_list(json_t *result, const char *key, const struct sp_monitor_series *series,
	enum sp_monitor_metric metric)
{
	json_t *list = json_array();

	for (size_t i = 0; i < series->count; i++)
		json_array_append_new(list,
			metric == SP_MONITOR_PEAK ? sp_json_count(series->runs[i]->peak_rss_bytes)
						  : sp_json_number(sp_monitor_value(series->runs[i], metric) / 1e9));
	sp_json_set(result, key, list);
}

static json_t *result_json(const struct sp_monitor_series *series)
{
	struct sp_monitor_figures wall = sp_monitor_figures_of(series, SP_MONITOR_WALL);
	json_t *result = json_object(), *codes = json_array(), *parameters = json_object(), *runs = json_array();

	sp_json_set(result, "command", sp_json_text(series->command));
	sp_json_set(result, "mean", sp_json_number(wall.mean / 1e9));
	sp_json_set(result, "stddev", wall.count > 1 ? sp_json_number(wall.deviation / 1e9) : json_null());
	sp_json_set(result, "median", sp_json_number(wall.median / 1e9));
	sp_json_set(result, "user", sp_json_number(sp_monitor_figures_of(series, SP_MONITOR_USER).mean / 1e9));
	sp_json_set(result, "system", sp_json_number(sp_monitor_figures_of(series, SP_MONITOR_SYS).mean / 1e9));
	sp_json_set(result, "min", sp_json_number(wall.least / 1e9));
	sp_json_set(result, "max", sp_json_number(wall.most / 1e9));
	set_list(result, "times", series, SP_MONITOR_WALL);
	set_list(result, "memory_usage_byte", series, SP_MONITOR_PEAK);
	for (size_t i = 0; i < series->count; i++) {
		const struct sp_monitor_run *run = series->runs[i];

		json_array_append_new(codes, run->exit_status >= 0 ? json_integer(run->exit_status) : json_null());
		json_array_append_new(runs, sp_monitor_run_json(run));
	}
	sp_json_set(result, "exit_codes", codes);
	for (size_t i = 0; i < series->parameter_count; i++)
		sp_json_set(parameters, series->parameters[i].name, sp_json_text(series->parameters[i].value));
	sp_json_set(result, "parameters", parameters);
	sp_json_set(result, "runs", runs);
	return result;
}

void sp_monitor_put_json(struct sp_buffer *out, const struct sp_monitor_series *series, size_t count, json_t *verdicts)
{
	json_t *whole = json_object(), *results = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(results, result_json(&series[i]));
	sp_json_set(whole, "results", results);
	if (verdicts)
		sp_json_set(whole, "comparisons", verdicts);
	sp_json_put(out, whole, false);
}

/* --- Markdown */

static double fastest(const struct sp_monitor_series *series, size_t count)
{
	double least = INFINITY;

	for (size_t i = 0; i < count; i++)
		least = fmin(least, sp_monitor_figures_of(&series[i], SP_MONITOR_WALL).mean);
	return least;
}

void sp_monitor_put_markdown(struct sp_buffer *out, const struct sp_monitor_series *series, size_t count)
{
	double least = fastest(series, count);

	sp_buffer_puts(out,
		"| Command | Mean | ± | Min | Max | Relative | User | System | Peak | Runs | Failed |\n"
		"|:---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < count; i++) {
		struct sp_monitor_figures wall = sp_monitor_figures_of(&series[i], SP_MONITOR_WALL);
		const double cells[] = {wall.mean, wall.deviation, wall.least, wall.most};

		sp_buffer_puts(out, "| ");
		sp_escape(out, SP_ESCAPE_CELL, series[i].command, strlen(series[i].command));
		for (size_t k = 0; k < 4; k++) {
			sp_buffer_puts(out, " | ");
			sp_monitor_put_value(out, SP_MONITOR_WALL, cells[k]);
		}
		sp_buffer_printf(out, " | %.2f", least > 0 ? wall.mean / least : 1);
		for (enum sp_monitor_metric m = SP_MONITOR_USER; m <= SP_MONITOR_PEAK; m++) {
			struct sp_monitor_figures f = sp_monitor_figures_of(&series[i], m);

			sp_buffer_puts(out, " | ");
			sp_monitor_put_value(out, m, m == SP_MONITOR_PEAK ? f.most : f.mean);
		}
		sp_buffer_printf(out, " | %zu | %zu |\n", series[i].count, sp_monitor_series_bad(&series[i]));
	}
}

/* --- CSV */

static void put_quoted(struct sp_buffer *out, const char *text)
{
	struct sp_buffer inert = {0};

	sp_escape(&inert, SP_ESCAPE_PLAIN, text, strlen(text));
	sp_buffer_puts(out, "\"");
	for (const char *at = inert.data ? inert.data : ""; *at; at++) {
		sp_buffer_puts(out, *at == '"' ? "\"" : "");
		sp_buffer_add(out, at, 1);
	}
	sp_buffer_puts(out, "\"");
	sp_buffer_free(&inert);
}

void sp_monitor_put_csv(struct sp_buffer *out, const struct sp_monitor_series *series, size_t count)
{
	sp_buffer_puts(out,
		"command,mean,stddev,median,user,system,min,max,peak_rss_bytes,peak_tree_bytes,runs,failed\n");
	for (size_t i = 0; i < count; i++) {
		struct sp_monitor_figures wall = sp_monitor_figures_of(&series[i], SP_MONITOR_WALL);

		put_quoted(out, series[i].command);
		sp_buffer_printf(out, ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.0f,%.0f,%zu,%zu\n", wall.mean / 1e9,
			wall.deviation / 1e9, wall.median / 1e9,
			sp_monitor_figures_of(&series[i], SP_MONITOR_USER).mean / 1e9,
			sp_monitor_figures_of(&series[i], SP_MONITOR_SYS).mean / 1e9, wall.least / 1e9, wall.most / 1e9,
			sp_monitor_figures_of(&series[i], SP_MONITOR_PEAK).most,
			sp_monitor_figures_of(&series[i], SP_MONITOR_TREE).most, series[i].count,
			sp_monitor_series_bad(&series[i]));
	}
}
