/* One command: once, several times, or every so often. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/time.h"
#include "tools/monitor/line.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/once.h"
#include "tools/tools.h"

struct once {
	struct sp_monitor_session *session;
	const struct sp_monitor_job *job;
	struct sp_monitor_series series;
	unsigned runs;
	unsigned warming; /* runs that do not count, still to come */
	struct sp_shown_live live;
	int status;
};

/* --- the terminal's line */

static void put_clock(struct sp_buffer *out, uint64_t ns)
{
	uint64_t s = ns / 1000000000u;

	if (s >= 3600)
		sp_buffer_printf(out, "%llu:", (unsigned long long)(s / 3600));
	sp_buffer_printf(out, "%02llu:%02llu", (unsigned long long)(s / 60 % 60), (unsigned long long)(s % 60));
}

void sp_live_put(struct sp_buffer *out, struct sp_shown_live *live, const struct sp_watch *w)
{
	const struct sp_monitor_point *now = &w->look.last;

	if (w->began_ns != live->began_ns) /* another run */
		*live = (struct sp_shown_live){.began_ns = w->began_ns};
	if (now->at_ns > live->at_ns) {
		live->cpu = (double)(now->cpu_ns - live->cpu_ns) / (double)(now->at_ns - live->at_ns);
		live->at_ns = now->at_ns;
		live->cpu_ns = now->cpu_ns;
	}
	put_clock(out, w->started ? sp_time_ns(CLOCK_MONOTONIC) - w->began_ns : 0);
	sp_buffer_printf(out, "  CPU %3.0f %%  ", 100 * live->cpu);
	sp_put_size(out, now->rss_bytes);
	if (now->processes > 1)
		sp_buffer_printf(out, "  %u processes", now->processes);
}

static void show(struct sp_watches *watches, void *context)
{
	struct once *once = context;
	struct sp_buffer text = {0};

	if (sp_watch_is_free(watches->items))
		return;
	if (once->warming)
		sp_buffer_puts(&text, "warming up  ");
	else if (once->runs > 1)
		sp_buffer_printf(&text, "run %zu of %u  ", once->series.count + 1, once->runs);
	sp_live_put(&text, &once->live, watches->items);
	sp_line_show(text.data);
	sp_buffer_free(&text);
}

/* --- running */

int sp_monitor_status(const struct sp_monitor_run *run)
{
	if (run->state == SP_MONITOR_TIMEOUT)
		return SP_EXIT_TIMEOUT;
	if (run->state == SP_MONITOR_NOT_STARTED)
		return run->exec_errno == ENOENT ? 127 : 126;
	return run->signal ? 128 + run->signal : run->exit_status > 0 ? run->exit_status : 0;
}

static bool is_through(const struct once *once)
{
	return once->session->terms.output == SP_CAUGHT_THROUGH || once->session->terms.output == SP_CAUGHT_INHERIT;
}

/* What the program says itself has standard output; then ours goes beside. */
static void print(const struct once *once, const struct sp_buffer *text)
{
	FILE *out = is_through(once) ? stderr : stdout;

	sp_watches_let_signals_end_us(true);
	fwrite(text->data, 1, text->length, out);
	fflush(out);
	sp_watches_let_signals_end_us(false);
}

/* Returns whether to go on. */
static bool run_once(struct once *once)
{
	struct sp_monitor_session *s = once->session;
	char tail[2048];
	struct sp_monitor_run *run;
	struct sp_buffer text = {0};

	if (!sp_attempt_prepare(s)) {
		once->status = once->status ? once->status : 1;
		return false;
	}
	run = sp_attempt_one(s, once->job, once->series.count + 1, (unsigned)once->series.count + 1, tail);
	if (once->warming) {
		sp_monitor_run_free(run);
		return !s->watches.stopped;
	}
	if (!once->status)
		once->status = sp_monitor_status(run);
	sp_monitor_series_add(&once->series, run);
	if (sp_monitor_keep(s, run))
		once->status = SP_EXIT_USAGE;
	if (!sp_monitor_run_is_good(run) && *tail && !run->interrupted && once->series.count == 1) {
		sp_buffer_puts(&text, "the last that it wrote to standard error:\n");
		sp_monitor_put_tail(&text, tail);
		print(once, &text);
	}
	sp_buffer_free(&text);
	return !s->watches.stopped && run->state != SP_MONITOR_NOT_STARTED;
}

static bool run_several(struct once *once, unsigned runs)
{
	for (unsigned i = 0; i < runs; i++)
		if (!run_once(once))
			return false;
	return true;
}

/* --- every so often */

static void print_line(const struct once *once, const struct sp_monitor_run *run)
{
	time_t began = (time_t)(run->started_ns / 1000000000u);
	struct sp_buffer text = {0};
	struct tm local;
	char moment[32];

	strftime(moment, sizeof(moment), "%F %T", localtime_r(&began, &local));
	sp_buffer_printf(&text, "%s  ", moment);
	sp_monitor_put_ending(&text, run);
	sp_buffer_puts(&text, "  ");
	sp_put_duration(&text, run->wall_ns);
	sp_buffer_printf(&text, "  CPU %.0f %%  ", sp_monitor_cpu_percent(run));
	sp_put_size(&text, run->peak_rss_bytes);
	sp_buffer_puts(&text, "\n");
	print(once, &text);
	sp_buffer_free(&text);
}

/* Begins at the same distances, however long the runs take; what was missed is left out. */
static void run_continuously(struct once *once)
{
	const struct sp_monitor_wish *wish = once->session->wish;
	uint64_t began = sp_time_ns(CLOCK_MONOTONIC), next = began, now;
	size_t shown = 0;
	bool more;

	do {
		more = run_several(once, once->runs);
		while (shown < once->series.count)
			print_line(once, once->series.runs[shown++]);
		now = sp_time_ns(CLOCK_MONOTONIC);
		next += (now > next ? (now - next) / wish->every_ns + 1 : 1) * wish->every_ns;
		more = more && (!wish->for_ns || next - began < wish->for_ns);
	} while (more && sp_watches_sleep(&once->session->watches, next));
}

static void print_result(const struct once *once)
{
	struct sp_buffer text = {0};

	if (once->series.count == 1)
		sp_monitor_put_run(&text, once->series.runs[0]);
	else if (once->series.count)
		sp_monitor_put_series(&text, &once->series);
	sp_standing_put(&text, &once->session->standing, false);
	if (text.length)
		print(once, &text);
	sp_buffer_free(&text);
}

int sp_monitor_once(struct sp_monitor_session *s, const struct sp_monitor_job *job)
{
	const struct sp_monitor_wish *wish = s->wish;
	struct once once = {.session = s, .job = job, .runs = wish->runs ? wish->runs : 1, .warming = wish->warmup};

	if (!wish->output && once.runs == 1 && !wish->every_ns)
		s->terms.output = SP_CAUGHT_THROUGH;
	sp_monitor_take_names(&once.series, job);
	if (sp_line_wanted()) {
		s->watches.show = show;
		s->watches.context = &once;
	}
	while (once.warming && run_once(&once))
		once.warming--;
	if (!once.warming) {
		if (wish->every_ns)
			run_continuously(&once);
		else
			run_several(&once, once.runs);
	}
	print_result(&once);
	if (sp_monitor_export(wish, &once.series, 1, NULL))
		once.status = SP_EXIT_USAGE;
	sp_monitor_series_free(&once.series);
	return once.status;
}
