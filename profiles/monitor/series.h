/* Runs of commands together: what they come to, shown on a terminal and exported. */
#ifndef SP_PROFILES_MONITOR_SERIES_H
#define SP_PROFILES_MONITOR_SERIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"
#include "profiles/monitor/run.h"

struct sp_monitor_parameter {
	char *name, *value;
};

/* The runs of one command, in the order in which they were made. */
struct sp_monitor_series {
	char *command; /* as one line */
	struct sp_monitor_parameter *parameters;
	size_t parameter_count;
	struct sp_monitor_run **runs;
	size_t count, capacity;
};

/* Takes the run. */
void sp_monitor_series_add(struct sp_monitor_series *series, struct sp_monitor_run *run);
void sp_monitor_series_free(struct sp_monitor_series *series);

enum sp_monitor_metric {
	SP_MONITOR_WALL,
	SP_MONITOR_CPU,
	SP_MONITOR_USER,
	SP_MONITOR_SYS,
	SP_MONITOR_PEAK,
	SP_MONITOR_TREE,
	SP_MONITOR_METRICS
};

/* Nanoseconds or bytes. */
double sp_monitor_value(const struct sp_monitor_run *run, enum sp_monitor_metric metric);

/* Of the good runs; of all where none is good. */
struct sp_monitor_figures {
	size_t count;
	double mean, deviation, median, least, most; /* deviation: of single runs; 0 for one */
};
struct sp_monitor_figures sp_monitor_figures_of(const struct sp_monitor_series *series, enum sp_monitor_metric metric);

/* Failed runs among them. */
size_t sp_monitor_series_bad(const struct sp_monitor_series *series);

/* For what part of the time threads waited for a CPU: how far the machine disturbed them. */
double sp_monitor_series_waited(const struct sp_monitor_series *series);

/* Values as the tables have them: "1.23 s" or "45 MiB". */
void sp_monitor_put_value(struct sp_buffer *out, enum sp_monitor_metric metric, double value);

/* For the terminal: CPU use and memory over time as bars, nothing where it is too short; all of one run; what several come to. */
void sp_monitor_put_timeline(struct sp_buffer *out, const struct sp_monitor_timeline *timeline);
void sp_monitor_put_run(struct sp_buffer *out, const struct sp_monitor_run *run);
void sp_monitor_put_series(struct sp_buffer *out, const struct sp_monitor_series *series);

/* One run as a JSON object, with its timeline. Seconds and bytes. */
json_t *sp_monitor_run_json(const struct sp_monitor_run *run);

/* The whole result: with hyperfine's keys where they exist, and "runs" beside them. `verdicts` (may be NULL) is taken. */
void sp_monitor_put_json(struct sp_buffer *out, const struct sp_monitor_series *series, size_t count, json_t *verdicts);

/* Tables with a row for each command; with hyperfine's columns first. */
void sp_monitor_put_markdown(struct sp_buffer *out, const struct sp_monitor_series *series, size_t count);
void sp_monitor_put_csv(struct sp_buffer *out, const struct sp_monitor_series *series, size_t count);

#endif
