/* What the runs of a command come to. */
#include "profiles/monitor/series.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/base/figures.h"
#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

void sp_monitor_series_add(struct sp_monitor_series *series, struct sp_monitor_run *run)
{
	sp_grow(&series->runs, &series->capacity, series->count + 1, sizeof(struct sp_monitor_run *));
	series->runs[series->count++] = run;
}

void sp_monitor_series_free(struct sp_monitor_series *series)
{
	for (size_t i = 0; i < series->count; i++)
		sp_monitor_run_free(series->runs[i]);
	for (size_t i = 0; i < series->parameter_count; i++) {
		free(series->parameters[i].name);
		free(series->parameters[i].value);
	}
	free(series->runs);
	free(series->parameters);
	free(series->command);
	*series = (struct sp_monitor_series){0};
}

double sp_monitor_value(const struct sp_monitor_run *run, enum sp_monitor_metric metric)
{
	switch (metric) {
	case SP_MONITOR_WALL:
		return (double)run->wall_ns;
	case SP_MONITOR_CPU:
		return (double)(run->user_ns + run->sys_ns);
	case SP_MONITOR_USER:
		return (double)run->user_ns;
	case SP_MONITOR_SYS:
		return (double)run->sys_ns;
	case SP_MONITOR_PEAK:
		return (double)run->peak_rss_bytes;
	case SP_MONITOR_TREE:
		return (double)run->peak_tree_bytes;
	default:
		return NAN;
	}
}

size_t sp_monitor_series_bad(const struct sp_monitor_series *series)
{
	size_t bad = 0;

	for (size_t i = 0; i < series->count; i++)
		bad += !sp_monitor_run_is_good(series->runs[i]);
	return bad;
}

double sp_monitor_series_waited(const struct sp_monitor_series *series)
{
	double queue = 0, wall = 0;

	for (size_t i = 0; i < series->count; i++) {
		queue += (double)series->runs[i]->queue_ns;
		wall += (double)series->runs[i]->wall_ns;
	}
	return wall > 0 ? queue / wall : 0;
}

struct sp_monitor_figures sp_monitor_figures_of(const struct sp_monitor_series *series, enum sp_monitor_metric metric)
{
	bool all = sp_monitor_series_bad(series) == series->count;
	double *values = sp_alloc(series->count + 1, sizeof(*values)), squares = 0;
	struct sp_monitor_figures f = {.least = INFINITY, .most = -INFINITY};

	for (size_t i = 0; i < series->count; i++) {
		double value = sp_monitor_value(series->runs[i], metric);

		if (!all && !sp_monitor_run_is_good(series->runs[i]))
			continue;
		values[f.count++] = value;
		f.mean += value;
		f.least = fmin(f.least, value);
		f.most = fmax(f.most, value);
	}
	if (f.count) {
		f.mean /= (double)f.count;
		f.median = sp_stats_median(values, f.count);
	} else {
		f.least = f.most = 0;
	}
	for (size_t i = 0; i < f.count; i++)
		squares += (values[i] - f.mean) * (values[i] - f.mean);
	f.deviation = f.count > 1 ? sqrt(squares / (double)(f.count - 1)) : 0;
	free(values);
	return f;
}

void sp_monitor_put_value(struct sp_buffer *out, enum sp_monitor_metric metric, double value)
{
	if (metric == SP_MONITOR_PEAK || metric == SP_MONITOR_TREE)
		sp_put_size(out, sp_whole(value));
	else
		sp_put_duration(out, sp_whole(value));
}
