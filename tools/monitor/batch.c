/* Many jobs, none of which ends the others. */
#include "tools/monitor/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/time.h"
#include "profiles/monitor/joblog.h"
#include "tools/monitor/line.h"
#include "tools/tools.h"

const struct sp_monitor_run *sp_batch_last(const struct sp_batch *b, size_t job)
{
	return b->jobs[job].count ? b->jobs[job].runs[b->jobs[job].count - 1] : NULL;
}

/* --- the log */

static void leave_out_done(struct sp_batch *b, const struct sp_buffer *text)
{
	struct sp_joblog_done done = {0};

	sp_joblog_read(&done, text->data, text->length);
	for (size_t i = 0; i < b->plan->count; i++) {
		b->skipped[i] = sp_joblog_take(&done, b->plan->jobs[i].command);
		b->skipped_count += b->skipped[i];
	}
	sp_joblog_free(&done);
}

int sp_batch_open_log(struct sp_batch *b)
{
	const struct sp_monitor_wish *wish = b->session->wish;
	struct sp_buffer text = {0};
	int error;

	if (!wish->joblog)
		return 0;
	error = wish->resume ? sp_input_read(wish->joblog, &text) : 0;
	if (error && error != -ENOENT) {
		sp_complain("monitor: --joblog: %s: %s", wish->joblog,
			error < 0 ? sp_input_error(error) : "it is not a job log");
		return SP_EXIT_USAGE;
	}
	b->log = fopen(wish->joblog, wish->resume ? "ae" : "we");
	if (!b->log) {
		sp_complain("monitor: --joblog: %s: %s", wish->joblog, strerror(errno));
		sp_buffer_free(&text);
		return SP_EXIT_USAGE;
	}
	if (text.length)
		leave_out_done(b, &text);
	else
		fputs(SP_JOBLOG_HEAD, b->log);
	if (text.length && text.data[text.length - 1] != '\n')
		fputc('\n', b->log); /* the line that was being written when all ended */
	fflush(b->log);
	sp_buffer_free(&text);
	return 0;
}

static void log_job(struct sp_batch *b, size_t job, const struct sp_monitor_run *run)
{
	struct sp_buffer text = {0};

	if (!b->log)
		return;
	sp_joblog_put(&text, job + 1, run);
	if (fwrite(text.data, 1, text.length, b->log) != text.length || fflush(b->log) != 0) {
		sp_line_clear();
		sp_complain("monitor: --joblog: %s: %s; the log is not complete", b->session->wish->joblog,
			strerror(errno));
		b->status = SP_EXIT_USAGE;
		fclose(b->log);
		b->log = NULL;
	}
	sp_buffer_free(&text);
}

/* --- jobs */

static void start(struct sp_batch *b, size_t job, unsigned attempt)
{
	if (!sp_attempt_prepare(b->session)) {
		b->stopping = true;
		b->status = 1;
		return;
	}
	sp_attempt_start(b->session, &b->plan->jobs[job], job + 1, 1, attempt);
	b->running++;
}

static void start_more(struct sp_batch *b)
{
	while (!b->stopping && b->running < b->session->terms.jobs && b->next < b->plan->count) {
		size_t job = b->next++;

		if (!b->skipped[job])
			start(b, job, 1);
	}
}

static void finish(struct sp_batch *b, struct sp_watch *w, struct sp_monitor_run *run)
{
	size_t job = w->label - 1;
	bool good = sp_monitor_run_is_good(run);

	b->running--;
	sp_monitor_series_add(&b->jobs[job], run);
	if (sp_monitor_keep(b->session, run))
		b->status = SP_EXIT_USAGE;
	free(b->tails[job]);
	b->tails[job] = good || !*w->tail ? NULL : sp_copy_text(w->tail);
	sp_watch_release(w);
	b->stopping = b->stopping || b->session->watches.stopped;
	if (!good && !b->stopping && run->attempt <= b->session->wish->retries &&
		run->state != SP_MONITOR_NOT_STARTED) {
		start(b, job, run->attempt + 1);
		return;
	}
	log_job(b, job, run);
	b->done++;
	b->failed += !good;
	b->stopping = b->stopping || (!good && b->session->wish->fail_fast);
}

static void run_all(struct sp_batch *b)
{
	struct sp_monitor_run *run = NULL;
	struct sp_watch *w;

	start_more(b);
	while ((w = sp_attempt_next(b->session, &run))) {
		finish(b, w, run);
		start_more(b);
	}
}

/* What was not tried is told of as well. */
static void add_untried(struct sp_batch *b)
{
	for (size_t i = 0; i < b->plan->count; i++) {
		struct sp_monitor_run *run;

		if (b->skipped[i] || b->jobs[i].count)
			continue;
		run = sp_monitor_run_make(b->plan->jobs[i].argv);
		free(run->command);
		run->command = sp_copy_text(b->plan->jobs[i].command);
		run->jobs = b->session->terms.jobs;
		sp_monitor_series_add(&b->jobs[i], run);
		b->failed++;
	}
}

/* Of what was done before nothing is known. */
static int export(const struct sp_batch *b)
{
	struct sp_monitor_series *told = sp_alloc(b->plan->count, sizeof(*told));
	size_t count = 0;
	int status;

	for (size_t i = 0; i < b->plan->count; i++)
		if (b->jobs[i].count)
			told[count++] = b->jobs[i];
	status = sp_monitor_export(b->session->wish, told, count, NULL);
	free(told);
	return status;
}

static void make(struct sp_batch *b)
{
	size_t count = b->plan->count;

	b->jobs = sp_alloc(count, sizeof(*b->jobs));
	b->skipped = sp_alloc(count, sizeof(*b->skipped));
	b->tails = sp_alloc(count, sizeof(*b->tails));
	b->began_ns = sp_time_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < count; i++)
		sp_monitor_take_names(&b->jobs[i], &b->plan->jobs[i]);
	if (sp_line_wanted()) {
		b->session->watches.show = sp_batch_show;
		b->session->watches.context = b;
	}
}

static void unmake(struct sp_batch *b)
{
	for (size_t i = 0; i < b->plan->count; i++) {
		sp_monitor_series_free(&b->jobs[i]);
		free(b->tails[i]);
	}
	free(b->jobs);
	free(b->skipped);
	free(b->tails);
	if (b->log)
		fclose(b->log);
}

int sp_monitor_batch(struct sp_monitor_session *s, const struct sp_monitor_plan *plan)
{
	struct sp_batch b = {.session = s, .plan = plan};
	struct sp_buffer text = {0};

	make(&b);
	b.status = sp_batch_open_log(&b);
	if (!b.status) {
		run_all(&b);
		add_untried(&b);
		sp_batch_put(&text, &b);
		sp_standing_put(&text, &s->standing, true);
		fwrite(text.data, 1, text.length, stdout);
		fflush(stdout);
		sp_buffer_free(&text);
		if (export(&b))
			b.status = SP_EXIT_USAGE;
		if (!b.status)
			b.status = b.failed ? 1 : 0;
	}
	unmake(&b);
	return b.status;
}
