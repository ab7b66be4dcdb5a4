/* Runs on a terminal. */
#include <math.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/monitor/series.h"

#define BARS 50u
#define NOISY 0.05 /* a part of the run that the machine took is told of from here on */

static void put_inert(struct sp_buffer *out, const char *text)
{
	sp_escape(out, SP_ESCAPE_PLAIN, text, strlen(text));
}

static void put_label(struct sp_buffer *out, const char *label)
{
	sp_buffer_printf(out, "  %-11s ", label);
}

/* --- the timeline as bars of equal time */

struct bars {
	double cpu[BARS]; /* CPUs busy */
	double rss[BARS]; /* bytes */
	double cpu_most, rss_most;
	size_t count;
};

/* The part of a point's time that lies in the bar. */
static double overlap(double from, double to, double bar_from, double bar_to)
{
	double part = fmin(to, bar_to) - fmax(from, bar_from);

	return part > 0 && to > from ? part / (to - from) : 0;
}

static void fill_bars(struct bars *bars, const struct sp_monitor_timeline *timeline)
{
	double end = (double)timeline->points[timeline->count - 1].at_ns, width;

	bars->count = timeline->count < BARS ? timeline->count : BARS;
	width = end / (double)bars->count;
	for (size_t b = 0; b < bars->count; b++) {
		double from = 0, cpu_before = 0, bar_from = width * (double)b;

		for (size_t i = 0; i < timeline->count; i++) {
			const struct sp_monitor_point *point = &timeline->points[i];
			double part = overlap(from, (double)point->at_ns, bar_from, bar_from + width);

			bars->cpu[b] += part * ((double)point->cpu_ns - cpu_before) / width;
			if (part > 0)
				bars->rss[b] = fmax(bars->rss[b], (double)point->rss_bytes);
			from = (double)point->at_ns;
			cpu_before = (double)point->cpu_ns;
		}
		bars->cpu_most = fmax(bars->cpu_most, bars->cpu[b]);
		bars->rss_most = fmax(bars->rss_most, bars->rss[b]);
	}
}

void sp_monitor_put_timeline(struct sp_buffer *out, const struct sp_monitor_timeline *timeline)
{
	struct bars bars = {0};

	if (timeline->count < 4)
		return;
	fill_bars(&bars, timeline);
	put_label(out, "CPU");
	sp_put_bars(out, bars.cpu, bars.count, bars.cpu_most);
	sp_buffer_printf(out, "  up to %.0f %%\n", 100 * bars.cpu_most);
	put_label(out, "memory");
	sp_put_bars(out, bars.rss, bars.count, bars.rss_most);
	sp_buffer_puts(out, "  up to ");
	sp_put_size(out, sp_whole(bars.rss_most));
	sp_buffer_puts(out, "\n");
}

/* --- one run */

static void put_times(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	put_label(out, "time");
	sp_put_duration(out, run->wall_ns);
	sp_buffer_puts(out, "   user ");
	sp_put_duration(out, run->user_ns);
	sp_buffer_puts(out, "   sys ");
	sp_put_duration(out, run->sys_ns);
	sp_buffer_printf(out, "   CPU %.0f %%\n", sp_monitor_cpu_percent(run));
}

static void put_peaks(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	static const char *const kinds[] = {[SP_MONITOR_TREE_PSS] = "what they share counted once",
		[SP_MONITOR_TREE_RSS] = "what they share counted for each"};

	put_label(out, "peak");
	if (run->peak_rss_bytes <= run->floor_rss_bytes)
		sp_buffer_puts(out, "at most ");
	sp_put_size(out, run->peak_rss_bytes);
	if (run->tree_kind == SP_MONITOR_TREE_PSS || run->tree_kind == SP_MONITOR_TREE_RSS) {
		sp_buffer_puts(out, " the largest process; ");
		sp_put_size(out, run->peak_tree_bytes);
		sp_buffer_printf(out, " the tree at one moment (up to %u processes, %s)", run->processes_most,
			kinds[run->tree_kind]);
	}
	sp_buffer_puts(out, "\n");
}

static void put_counts(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	put_label(out, "kernel");
	sp_buffer_printf(out, "%llu switches (%llu involuntary), %llu faults (%llu major)",
		(unsigned long long)(run->voluntary_switches + run->involuntary_switches),
		(unsigned long long)run->involuntary_switches,
		(unsigned long long)(run->minor_faults + run->major_faults), (unsigned long long)run->major_faults);
	if (run->read_bytes || run->written_bytes) {
		sp_buffer_puts(out, "; disk: ");
		sp_put_size(out, run->read_bytes);
		sp_buffer_puts(out, " read, ");
		sp_put_size(out, run->written_bytes);
		sp_buffer_puts(out, " written");
	}
	sp_buffer_puts(out, "\n");
}

static void put_output(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	if (!run->stdout_counted && !run->stderr_counted)
		return;
	put_label(out, "output");
	if (run->stdout_counted)
		sp_put_size(out, run->stdout_bytes);
	if (run->stderr_counted && run->stderr_bytes) {
		sp_buffer_puts(out, run->stdout_counted ? ", " : "");
		sp_put_size(out, run->stderr_bytes);
		sp_buffer_puts(out, " to standard error");
	}
	sp_buffer_puts(out, "\n");
}

static void put_part(struct sp_buffer *out, const char *what, uint64_t ns, uint64_t wall_ns)
{
	sp_buffer_puts(out, what);
	sp_put_duration(out, ns);
	sp_buffer_printf(out, " (%.0f %%)", sp_percent(ns, wall_ns));
}

/* What the machine took of it. */
static void put_disturbed(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	bool queue = (double)run->queue_ns > NOISY * (double)run->wall_ns,
	     throttled = (double)run->throttled_ns > NOISY * (double)run->wall_ns;

	if (!queue && !throttled)
		return;
	put_label(out, "disturbed");
	if (queue)
		put_part(out, "its threads waited for a CPU for ", run->queue_ns, run->wall_ns);
	if (throttled)
		put_part(out, queue ? "; held back by the CPU limit for " : "held back by the CPU limit for ",
			run->throttled_ns, run->wall_ns);
	sp_buffer_puts(out, "\n");
}

void sp_monitor_put_run(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	put_inert(out, run->command);
	sp_buffer_puts(out, ": ");
	sp_monitor_put_ending(out, run);
	sp_buffer_puts(out, "\n");
	if (run->left_names) {
		put_label(out, "left");
		put_inert(out, run->left_names);
		sp_buffer_puts(out, "\n");
	}
	if (run->state == SP_MONITOR_NOT_STARTED)
		return;
	put_times(out, run);
	put_peaks(out, run);
	sp_monitor_put_timeline(out, &run->timeline);
	put_counts(out, run);
	put_output(out, run);
	put_disturbed(out, run);
	if (run->profile_path) {
		put_label(out, "profile");
		put_inert(out, run->profile_path);
		sp_buffer_puts(out, "\n");
	}
}

/* --- several */

static void put_cell(struct sp_buffer *out, enum sp_monitor_metric metric, double value)
{
	struct sp_buffer text = {0};
	int width = 11;

	sp_monitor_put_value(&text, metric, value);
	for (size_t i = 0; i < text.length; i++)
		width += ((unsigned char)text.data[i] & 0xc0) == 0x80; /* "µs": one column, two bytes */
	sp_buffer_printf(out, " %*s", width, text.data);
	sp_buffer_free(&text);
}

static void put_row(struct sp_buffer *out, const struct sp_monitor_series *series, const char *label,
	enum sp_monitor_metric metric)
{
	struct sp_monitor_figures f = sp_monitor_figures_of(series, metric);

	put_label(out, label);
	put_cell(out, metric, f.median);
	put_cell(out, metric, f.mean);
	put_cell(out, metric, f.deviation);
	put_cell(out, metric, f.least);
	put_cell(out, metric, f.most);
	sp_buffer_puts(out, "\n");
}

static void put_bad(struct sp_buffer *out, const struct sp_monitor_series *series)
{
	size_t bad = sp_monitor_series_bad(series);

	if (!bad)
		return;
	sp_buffer_printf(out, "  %zu of %zu runs failed", bad, series->count);
	for (size_t i = 0; i < series->count; i++) {
		if (sp_monitor_run_is_good(series->runs[i]))
			continue;
		sp_buffer_printf(out, "; run %zu: ", i + 1);
		sp_monitor_put_ending(out, series->runs[i]);
		break;
	}
	sp_buffer_puts(out, bad < series->count ? "; the figures are those of the others\n" : "\n");
}

static void put_noise(struct sp_buffer *out, const struct sp_monitor_series *series)
{
	double part = sp_monitor_series_waited(series);

	if (part < NOISY)
		return;
	put_label(out, "disturbed");
	sp_buffer_printf(out, "its threads waited for a CPU for %.0f %% of the time\n", 100 * part);
}

void sp_monitor_put_series(struct sp_buffer *out, const struct sp_monitor_series *series)
{
	put_inert(out, series->command);
	sp_buffer_printf(out, ": %zu runs\n", series->count);
	put_bad(out, series);
	put_label(out, "");
	sp_buffer_printf(out, " %11s %11s %11s %11s %11s\n", "median", "mean", "deviation", "least", "most");
	put_row(out, series, "time", SP_MONITOR_WALL);
	put_row(out, series, "user", SP_MONITOR_USER);
	put_row(out, series, "sys", SP_MONITOR_SYS);
	put_row(out, series, "peak", SP_MONITOR_PEAK);
	if (sp_monitor_figures_of(series, SP_MONITOR_TREE).most > sp_monitor_figures_of(series, SP_MONITOR_PEAK).most)
		put_row(out, series, "peak, tree", SP_MONITOR_TREE);
	put_noise(out, series);
}
