/* `# Traces`: which traces of other libraries the CPU time was used for, and the table All traces. */
#include "profiles/model/traces.h"

#include "profiles/markdown/writer.h"

static void put_ids(struct sp_buffer *out, const struct sp_trace_info *trace, const char *between)
{
	sp_trace_put_id(out, trace->trace_id, SP_TRACE_ID_BYTES);
	sp_buffer_puts(out, between);
	sp_trace_put_id(out, trace->span_id, SP_TRACE_SPAN_ID_BYTES);
	sp_buffer_puts(out, between);
}

void sp_write_traces(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_traces *t = p->traces;
	size_t shown;

	if (sp_put_written(w, "# Traces", "# ") || !t || !t->samples)
		return;
	shown = t->count < w->limits.functions ? t->count : w->limits.functions;
	sp_buffer_printf(&w->out, "# Traces\n\nWhile %llu samples were taken, ", (unsigned long long)t->samples);
	sp_put_duration(&w->out, t->cpu_ns);
	sp_buffer_printf(&w->out,
		" of CPU time, their threads worked for a trace, as a library told, or smartprof itself "
		"(OpenTelemetry's thread "
		"context). Of the "
		"last %zu these are the spans of traces with most CPU time.\n\n"
		"| Trace | Span | CPU | Samples | Hottest |\n|:---|:---|---:|---:|:---|\n",
		p->snapshot->traced_count);
	for (size_t i = 0; i < shown; i++) {
		uint32_t hottest = sp_trace_hottest(p, &t->list[i]);

		sp_buffer_puts(&w->out, "| ");
		put_ids(&w->out, &t->list[i], " | ");
		sp_put_duration(&w->out, t->list[i].cpu_ns);
		sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)t->list[i].samples);
		if (hottest != UINT32_MAX)
			sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[hottest].name);
		sp_buffer_puts(&w->out, " |\n");
	}
	sp_put_cut(&w->out, shown, t->count, "rows", "All traces");
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_all_traces(struct sp_buffer *out, const struct sp_profile *p, const uint32_t *rows, size_t most)
{
	const struct sp_traces *t = p->traces;
	size_t count = t && t->count < most ? t->count : most;

	if (!t || !p->cpu_on)
		return;
	sp_buffer_printf(out, "## All traces (%zu)\n\n```tsv\ntrace_id\tspan_id\tcpu_ns\tsamples\tstacks\n", count);
	for (size_t i = 0; i < count; i++) {
		const struct sp_trace_info *trace = &t->list[i];

		put_ids(out, trace, "\t");
		sp_buffer_printf(out, "%llu\t%llu\t", (unsigned long long)trace->cpu_ns,
			(unsigned long long)trace->samples);
		sp_put_sample_runs(out, rows, t->runs + trace->first, trace->count);
	}
	sp_buffer_puts(out, "```\n\n");
}
