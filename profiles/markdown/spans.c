/* `# Spans`: names that the program gave to its work. */
#include "profiles/model/spans.h"

#include <string.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/timing.h"

static void put_cell(struct sp_buffer *out, const char *name)
{
	sp_escape_name(out, SP_ESCAPE_CELL, name);
}

void sp_put_span_name(struct sp_writer *w, const struct sp_span_info *span)
{
	sp_span_put_path(&w->out, w->profile, span, put_cell);
}

/* known_ns: of a profile that was read, which does not tell how times were distributed; 0: not known, it is a sum. */
static void put_quantile(struct sp_writer *w, const struct sp_span_info *span, double rank, uint64_t known_ns)
{
	double error;

	sp_buffer_puts(&w->out, " | ");
	if (!span->node) {
		if (known_ns)
			sp_put_duration(&w->out, known_ns);
		return;
	}
	sp_put_duration(&w->out, sp_span_quantile(span, rank, &error));
	sp_buffer_puts(&w->out, " ± ");
	sp_put_duration(&w->out, sp_whole(error));
}

static void put_times(struct sp_writer *w, const struct sp_span_info *span)
{
	if (!span->count) {
		sp_buffer_puts(&w->out, " | | | | | | |");
		return;
	}
	sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)span->count);
	sp_put_duration(&w->out, span->sum_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, span->self_ns);
	put_quantile(w, span, 0.5, span->median_ns);
	put_quantile(w, span, 0.99, span->p99_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, span->max_ns);
	sp_buffer_puts(&w->out, " |");
}

static void put_sampled(struct sp_writer *w, const struct sp_span_info *span)
{
	const struct sp_profile *p = w->profile;

	if (p->cpu_on && span->kind != SP_SPAN_ASYNC) {
		sp_buffer_puts(&w->out, " ");
		sp_put_duration(&w->out, span->cpu_ns);
		sp_buffer_puts(&w->out, " | ");
		sp_put_duration(&w->out, sp_whole(span->cpu_error));
	} else {
		sp_buffer_puts(&w->out, " |");
	}
	sp_buffer_puts(&w->out, " | ");
	if (span->kind == SP_SPAN_PLAIN)
		sp_put_size(&w->out, span->bytes);
	sp_buffer_puts(&w->out, " | ");
	if (span->hot_count) {
		sp_buffer_printf(&w->out, "%.0f %% ", sp_percent(sp_whole(span->hot[0].amount), span->cpu_ns));
		sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[span->hot[0].function].name);
	}
	sp_buffer_puts(&w->out, " |\n");
}

static void put_open(struct sp_writer *w, const struct sp_span_info *span)
{
	const struct sp_profile *p = w->profile;
	bool died = p->end_unknown;

	sp_buffer_printf(&w->out, "- %s in thread %d, ",
		died                 ? "The process died"
			: p->running ? "Open"
				     : "Open at the end",
		span->open_tid);
	sp_put_duration(&w->out, span->open_ns);
	sp_buffer_puts(&w->out, died ? " into " : " so far: ");
	sp_put_span_name(w, span);
	if (span->open_in) {
		sp_buffer_printf(&w->out, "; of the %llu CPU samples in it %llu were in ",
			(unsigned long long)span->open_samples, (unsigned long long)span->open_in);
		sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[span->open_function].name);
	}
	if (span->open > 1)
		sp_buffer_printf(&w->out, "; in all %u of them are open", span->open);
	sp_buffer_puts(&w->out, ".\n");
}

/* What is not as it should be, or was under way. */
static void put_remarks(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_span_totals *totals = &p->snapshot->header.spans;

	for (size_t i = 0; i < p->span_count; i++) {
		const struct sp_span_info *span = &p->spans[i];

		if (span->open)
			put_open(w, span);
		if (span->unended || span->slow) {
			sp_buffer_puts(&w->out, "- ");
			sp_put_span_name(w, span);
			sp_buffer_puts(&w->out, ":");
			if (span->unended)
				sp_buffer_printf(&w->out, " %llu ended with a span around them or with their thread;",
					(unsigned long long)span->unended);
			if (span->slow)
				sp_buffer_printf(&w->out, " %llu took longer than their limit;",
					(unsigned long long)span->slow);
			w->out.data[w->out.length - 1] = '.';
			sp_buffer_puts(&w->out, "\n");
		}
	}
	if (totals->stray)
		sp_buffer_printf(&w->out, "- %llu spans were ended that had not begun in their thread.\n",
			(unsigned long long)totals->stray);
	if (totals->too_deep)
		sp_buffer_printf(&w->out, "- %llu spans were begun in %u others and are not counted.\n",
			(unsigned long long)totals->too_deep, SP_SPAN_DEPTH);
	if (totals->uncounted)
		sp_buffer_printf(&w->out,
			"- %llu spans are not counted: more different names than the tables hold, or begun in a signal "
			"handler that interrupted another's beginning.\n",
			(unsigned long long)totals->uncounted);
}

/* "request › loaded" */
static void put_node(struct sp_writer *w, uint32_t node)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	struct sp_buffer name = {0};

	if (s->span_nodes[node].parent) {
		put_node(w, s->span_nodes[node].parent);
		sp_buffer_puts(&w->out, " › ");
	}
	sp_span_put_name(&name, s, node);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, name.data ? name.data : "");
	sp_buffer_free(&name);
}

static size_t count_checkpoints(const struct sp_profile *p)
{
	size_t n = 0;

	for (size_t i = 1; i < p->snapshot->checkpoint_count; i++)
		n += p->snapshot->checkpoints[i].node && p->snapshot->checkpoints[i].count;
	return n;
}

static void put_checkpoints(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	size_t left = w->limits.functions;

	if (!count_checkpoints(w->profile))
		return;
	sp_buffer_puts(&w->out,
		"\n| Checkpoint | Count | Last at | Memory then | Most | Heap then | Most |\n"
		"|:---|---:|---:|---:|---:|---:|---:|\n");
	for (size_t i = 1; i < s->checkpoint_count && left; i++) {
		const struct sp_checkpoint *c = &s->checkpoints[i];
		const uint64_t sizes[] = {c->rss_bytes, c->rss_max_bytes, c->heap_bytes, c->heap_max_bytes};

		if (!c->node || !c->count)
			continue;
		left--;
		sp_buffer_puts(&w->out, "| ");
		put_node(w, c->node);
		sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)c->count);
		sp_put_duration(&w->out, c->t_ns);
		for (size_t k = 0; k < 4; k++) {
			sp_buffer_puts(&w->out, " | ");
			if (k < 2 ? c->rss_max_bytes : s->header.heap.on)
				sp_put_size(&w->out, sizes[k]);
		}
		sp_buffer_puts(&w->out, " |\n");
	}
}

#define TIMING_LINES 60u

static void put_log_file(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	const struct sp_span_log *log = &s->span_log;
	const char *file = sp_snapshot_text(s, s->header.text.span_log);

	if (!*file)
		return;
	sp_buffer_printf(&w->out, "%llu lines are in ", (unsigned long long)log->written);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, file);
	if (log->lost)
		sp_buffer_printf(&w->out, "; %llu are missing, because %s", (unsigned long long)log->lost,
			log->error ? "the file could not be written"
				   : "spans ended faster than lines could be written");
	if (log->error < 0 && log->error > -4096)
		sp_buffer_printf(&w->out, " (%s)", strerror(-log->error));
	sp_buffer_puts(&w->out, ".\n\n");
}

/* The last lines, and what is open. */
static void put_log(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	size_t shown = s->event_count < TIMING_LINES ? s->event_count : TIMING_LINES;
	struct sp_timing timing = {0};

	if (!s->span_log.size)
		return;
	sp_buffer_puts(&w->out, "\n## Timing Log\n\n");
	put_log_file(w);
	sp_buffer_puts(&w->out, "```\n");
	sp_timing_set_clock(&timing, s);
	for (size_t i = s->event_count - shown; i < s->event_count; i++)
		sp_timing_put(&w->out, &timing, s, &s->events[i]);
	sp_timing_put_open(&w->out, &timing, s);
	sp_buffer_puts(&w->out, "```\n");
	sp_timing_free(&timing);
}

void sp_write_spans(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_span_totals *totals;
	size_t shown = p->span_count < w->limits.functions ? p->span_count : w->limits.functions;

	if (sp_put_written(w, "# Spans", "# ") || (!p->span_count && !count_checkpoints(p)))
		return;
	totals = &p->snapshot->header.spans;
	sp_buffer_puts(&w->out,
		"# Spans\n\nCounts, times on the clock and bytes are exact; CPU time is sampled, spans inside "
		"included.");
	if (totals->pair_ns)
		sp_buffer_printf(&w->out, " What a span costs here, %llu ns, is taken off.",
			(unsigned long long)totals->pair_ns);
	sp_buffer_puts(&w->out,
		"\n\n| Span | Count | Total | Self | p50 | p99 | Max | CPU | ± | Allocated | Hottest |\n"
		"|:---|---:|---:|---:|---:|---:|---:|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < shown; i++) {
		if (p->spans[i].left_out)
			continue;
		sp_buffer_puts(&w->out, "| ");
		sp_put_span_name(w, &p->spans[i]);
		put_times(w, &p->spans[i]);
		put_sampled(w, &p->spans[i]);
	}
	if (shown < p->span_count)
		sp_buffer_printf(&w->out, "\n… %zu more rows\n", p->span_count - shown);
	put_checkpoints(w);
	sp_buffer_puts(&w->out, "\n");
	put_remarks(w);
	put_log(w);
	sp_buffer_puts(&w->out, "\n");
	sp_write_span_parts(w);
	sp_write_slow_spans(w);
}
